//! The graph of stages as a tree of text: each stage once, below the one that it most directly follows from.
//!
//! A stage stands below the deepest of its direct needs; `+` names the others. One that joins many begins a tree of its own and
//! names them all. Pure: a graph and marks in, text out.

use crate::graph::{Dag, StageId};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Most direct needs of a stage that stands below one of them.
const MOST_BESIDES: usize = 6;

/// What there is to do of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// Nothing.
    Fresh,
    /// It will run.
    Dirty,
    /// It needs one that will run, and may have to run then.
    Waiting,
}

/// How a tree is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Whether the terminal shows more than ASCII.
    pub(super) is_unicode: bool,
    /// Whether marks have colours.
    pub(super) has_colour: bool,
    /// Columns that a line should keep to.
    pub(super) width: usize,
}

impl Style {
    fn mark(self, mark: Mark) -> String {
        let (shown, ascii, colour) = match mark {
            Mark::Fresh => ("✔", "v", 32),
            Mark::Dirty => ("●", "*", 33),
            // Faint: perhaps there is nothing to do.
            Mark::Waiting => ("○", "o", 2),
        };
        let shown = if self.is_unicode { shown } else { ascii };
        if self.has_colour {
            format!("\u{1b}[{colour}m{shown}\u{1b}[0m")
        } else {
            shown.to_owned()
        }
    }

    /// The lines that lead to a child and past it.
    fn branch(self, is_last: bool) -> (&'static str, &'static str) {
        match (self.is_unicode, is_last) {
            (true, false) => ("├─", "│ "),
            (true, true) => ("└─", "  "),
            (false, false) => ("|-", "| "),
            (false, true) => ("`-", "  "),
        }
    }
}

/// Draws a graph; without marks where none are given.
pub(super) fn draw(dag: &Dag, marks: &BTreeMap<StageId, Mark>, style: Style) -> String {
    let mut tree = Tree::of(dag, marks, style);
    for root in tree.children.remove(&None).unwrap_or_default() {
        tree.stage(root, "", "");
    }
    let mut text = tree.text;
    text.push_str(&legend(marks, style));
    text
}

struct Tree<'a> {
    marks: &'a BTreeMap<StageId, Mark>,
    style: Style,
    /// What stands below a stage; below `None`, what begins a tree.
    children: BTreeMap<Option<&'a StageId>, Vec<&'a StageId>>,
    /// The direct needs of a stage that it does not stand below.
    others: BTreeMap<&'a StageId, Vec<&'a StageId>>,
    text: String,
}

impl<'a> Tree<'a> {
    fn of(dag: &'a Dag, marks: &'a BTreeMap<StageId, Mark>, style: Style) -> Self {
        let mut tree = Self {
            marks,
            style,
            children: BTreeMap::new(),
            others: BTreeMap::new(),
            text: String::new(),
        };
        let mut depths: BTreeMap<&StageId, (usize, usize)> = BTreeMap::new();
        for stage in dag.order() {
            let mut needs = dag.direct_needs(stage);
            // Of equally deep ones the last in order.
            let deepest = (0..needs.len()).max_by_key(|&index| depths[needs[index]]);
            let depth = deepest.map_or(0, |index| depths[needs[index]].0 + 1);
            depths.insert(stage, (depth, depths.len()));
            let joins_many = needs.len() > MOST_BESIDES;
            let above = deepest
                .filter(|_| !joins_many)
                .map(|index| needs.remove(index));
            tree.children.entry(above).or_default().push(stage);
            tree.others.insert(stage, needs);
        }
        tree
    }

    /// Draws a stage and what stands below it; `lead` comes before its mark, `below` before all that follows.
    fn stage(&mut self, stage: &'a StageId, lead: &str, below: &str) {
        let children = self.children.remove(&Some(stage)).unwrap_or_default();
        let mark = self.marks.get(stage).map(|mark| self.style.mark(*mark));
        let mark = mark.map(|mark| mark + " ").unwrap_or_default();
        let _ = write!(self.text, "{lead}{mark}{stage}");
        let mark_chars = if mark.is_empty() { 0 } else { 2 };
        let column = lead.chars().count() + mark_chars + stage.len();
        let bar = if children.is_empty() {
            "  "
        } else {
            self.style.branch(false).1
        };
        let others = self.others.remove(stage).unwrap_or_default();
        self.needs(&others, column, &format!("{below}{bar}"));
        for (index, child) in children.iter().enumerate() {
            let (branch, past) = self.style.branch(index + 1 == children.len());
            self.stage(
                child,
                &format!("{below}{branch}"),
                &format!("{below}{past}"),
            );
        }
    }

    /// Writes names after a stage, in as many lines as they take.
    fn needs(&mut self, names: &[&StageId], mut column: usize, margin: &str) {
        const INDENT: usize = 6;
        for (index, name) in names.iter().enumerate() {
            let lead = if index == 0 { "  + " } else { ", " };
            let comma = usize::from(index + 1 < names.len());
            if index > 0 && column + lead.len() + name.len() + comma > self.style.width {
                let _ = write!(self.text, ",\n{margin}{:INDENT$}{name}", "");
                column = margin.chars().count() + INDENT + name.len();
            } else {
                let _ = write!(self.text, "{lead}{name}");
                column += lead.len() + name.len();
            }
        }
        self.text.push('\n');
    }
}

/// What the marks mean, and how many there are of each.
fn legend(marks: &BTreeMap<StageId, Mark>, style: Style) -> String {
    let all = [
        (Mark::Fresh, "fresh"),
        (Mark::Dirty, "to run"),
        (Mark::Waiting, "to run if what they need changes"),
    ];
    let count = |mark| marks.values().filter(|known| **known == mark).count();
    let counted = all
        .into_iter()
        .map(|(mark, text)| (mark, text, count(mark)));
    let shown: Vec<String> = counted
        .filter(|(.., count)| *count > 0)
        .map(|(mark, text, count)| format!("{} {count} {text}", style.mark(mark)))
        .collect();
    if shown.is_empty() {
        return String::new();
    }
    format!("\n{}\n", shown.join("   "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Need;

    fn dag(stages: &[(&str, &[&str])]) -> Dag {
        let need = |stage: &&str| Need {
            stage: (*stage).to_owned(),
            datasets: Vec::new(),
        };
        let stages = stages.iter();
        let stages =
            stages.map(|(name, needs)| ((*name).to_owned(), needs.iter().map(need).collect()));
        Dag::new(stages.collect()).unwrap()
    }

    fn style(is_unicode: bool) -> Style {
        Style {
            is_unicode,
            has_colour: false,
            width: 40,
        }
    }

    fn diamond() -> Dag {
        dag(&[
            ("rows", &[]),
            ("text", &["rows"]),
            ("words", &["rows", "text"]),
            ("image", &["rows"]),
            ("both", &["image", "words"]),
            ("out", &["both"]),
        ])
    }

    #[test]
    fn each_stage_stands_once_below_its_deepest_need() {
        let drawn = draw(&diamond(), &BTreeMap::new(), style(true));
        let expected = "\
rows
├─text
│ └─words
│   └─both  + image
│     └─out
└─image
";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn marks_have_a_form_in_ascii_and_colours_on_request() {
        let marks = [
            ("rows", Mark::Fresh),
            ("image", Mark::Dirty),
            ("both", Mark::Waiting),
        ];
        let marks = marks.map(|(stage, mark)| (stage.to_owned(), mark));
        let marks = BTreeMap::from(marks);
        let drawn = draw(&diamond(), &marks, style(false));
        let expected = "\
v rows
|-text
| `-words
|   `-o both  + image
|     `-out
`-* image

v 1 fresh   * 1 to run   o 1 to run if what they need changes
";
        assert_eq!(drawn, expected);
        let coloured = Style {
            has_colour: true,
            ..style(true)
        };
        let drawn = draw(&diamond(), &marks, coloured);
        assert!(drawn.starts_with("\u{1b}[32m✔\u{1b}[0m rows\n"), "{drawn}");
    }

    #[test]
    fn what_joins_many_begins_a_tree_and_names_them_in_lines_of_their_own() {
        let models = [
            "model_a", "model_b", "model_c", "model_d", "model_e", "model_f", "model_g",
        ];
        let mut stages: Vec<(&str, &[&str])> = vec![("rows", &[])];
        stages.extend(models.iter().map(|model| (*model, &["rows"] as &[&str])));
        stages.push(("evaluate", &models));
        stages.push(("predict", &["evaluate"]));
        let drawn = draw(&dag(&stages), &BTreeMap::new(), style(true));
        let expected = "\
rows
├─model_a
├─model_b
├─model_c
├─model_d
├─model_e
├─model_f
└─model_g
evaluate  + model_a, model_b, model_c,
│       model_d, model_e, model_f,
│       model_g
└─predict
";
        assert_eq!(drawn, expected);
        assert!(drawn.lines().all(|line| line.chars().count() <= 40));
    }
}
