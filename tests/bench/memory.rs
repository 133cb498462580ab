//! Peak memory of the stage `decode_images`, and of the training of a network on its images, in the real program, on sample
//! catalogues of several sizes.

use crate::report::{Report, Row};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How many times the memory for the smallest catalogue any other may take. The pipeline knows each image file, by its name and
/// its digest: 2 kB an image, which makes 1.1 of ten times as many.
const MOST_GROWTH: f64 = 1.12;
/// And of a training: what is held of each row besides its image is its id, its class and what the model answers.
const MOST_GROWTH_OF_TRAINING: f64 = 1.2;
/// Parts of one size, of which the smallest catalogue has several too; and a network that takes large images, but holds few.
const SETTINGS: [&str; 6] = [
    "rows_per_part=128",
    "lenet.params.image_size=112",
    "lenet.params.epochs=1",
    "lenet.params.batch_size=16",
    "lenet.params.shuffle_rows=128",
    "lenet.params.augmentation={flip: true, rotation: 15, shift: 0.1, zoom: 0.1, brightness: 0.2}",
];

/// Measures each number of rows; tells whether memory is bounded.
pub fn measure(rows: &[usize], report: &mut Report) -> Result<bool, Box<dyn Error>> {
    let stages = [
        ("decode_images", MOST_GROWTH),
        ("lenet", MOST_GROWTH_OF_TRAINING),
    ];
    let mut peaks = [const { Vec::new() }; 2];
    for &rows in rows {
        let folder = tempfile::tempdir()?;
        let catalogue = folder.path().join("catalogue");
        let sample = [
            "sample".as_ref(),
            catalogue.as_os_str(),
            "--rows".as_ref(),
            rows.to_string().as_ref(),
        ]
        .map(std::ffi::OsStr::to_owned);
        peak_mib(folder.path(), &sample)?;
        // Another process for what comes before, whose memory is its own matter.
        let run = |until: &str| {
            eprintln!("memory of {until} on {rows} rows");
            let settings = SETTINGS.iter().flat_map(|setting| ["--set", *setting]);
            let arguments = ["run", "--until", until].into_iter().chain(settings);
            peak_mib(
                folder.path(),
                &arguments.map(Into::into).collect::<Vec<_>>(),
            )
        };
        run("ingest")?;
        for ((stage, _), peaks) in stages.iter().zip(&mut peaks) {
            let peak = run(stage)?;
            let step = format!("peak memory of {stage}, {rows} rows");
            report.push(Row::memory(&step, peak, None));
            peaks.push(peak);
        }
    }
    let mut is_bounded = true;
    for ((stage, most_growth), peaks) in stages.iter().zip(&peaks) {
        let most = peaks.iter().copied().fold(0.0, f64::max);
        let grown = most / peaks[0];
        let step = format!("{stage}: the most memory to that of the smallest");
        let shown = format!("{grown:.2}, bar {most_growth}");
        report.push(Row::note(&step, shown, String::new()));
        is_bounded &= grown <= *most_growth;
    }
    Ok(is_bounded)
}

/// Runs the program to its end, and returns the most memory that it held.
fn peak_mib(folder: &Path, arguments: &[std::ffi::OsString]) -> Result<f64, Box<dyn Error>> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rayonnage"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("RAYONNAGE_SOURCE", folder.join("catalogue"))
        .env("RAYONNAGE_CHECKPOINTS", folder.join("checkpoints"))
        .env("RAYONNAGE_SINK", folder.join("out"))
        .env("RAYONNAGE_DEVICE", "cpu")
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0_f64;
    loop {
        // It only grows, so the last reading is as good as the whole.
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
        peak = peak.max(kib.unwrap_or(0.0) / 1024.0);
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                return Err(format!("{arguments:?} ended with {status}").into());
            }
            return Ok(peak);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
