//! Reads checkpoints, records and source into [`ReportData`], one file per section.

mod catalogue;
mod counts;
mod drift;
mod images;
mod mistakes;
mod models;
mod networks;
mod night;
mod overview;
mod queries;
mod variance;

use super::ReportError;
use super::attachments::Attachments;
use super::data::ReportData;
use super::sources::Sources;

/// Reads everything that the report says.
pub(super) fn gather(
    sources: &Sources<'_>,
    attachments: &mut Attachments,
) -> Result<ReportData, ReportError> {
    let catalogue = catalogue::catalogue(sources, attachments)?;
    let models = models::models(sources)?;
    let mistakes = mistakes::mistakes(sources, &models, attachments)?;
    Ok(ReportData {
        overview: overview::overview(sources, catalogue.as_ref(), &models),
        images: images::images(sources, attachments)?,
        drift: drift::drift(sources)?,
        night: night::night(sources)?,
        tables: queries::queries(sources),
        catalogue,
        models,
        mistakes,
    })
}
