//! The files of `scripts/` for the nightly start: what they call is there, and takes what they hand it.

use crate::space::TestSpace;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the files say that the checkout lies.
const HOME: &str = "/srv/rayonnage";

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn script(name: &str) -> String {
    std::fs::read_to_string(checkout().join("scripts").join(name)).unwrap()
}

/// The values of a key of a unit file.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let lines = unit.lines().filter_map(|line| line.split_once('='));
    lines
        .filter(|(name, _)| *name == key)
        .map(|(_, value)| value)
        .collect()
}

#[track_caller]
fn is_program(path: &str) {
    let relative = path.strip_prefix(HOME).unwrap_or_else(|| panic!("{path}"));
    let file = checkout().join(relative.trim_start_matches('/'));
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert!(mode & 0o111 == 0o111, "{} cannot be run", file.display());
}

#[test]
fn units_and_crontab_call_what_is_there() {
    let service = script("rayonnage.service");
    let starts = values(&service, "ExecStart");
    assert_eq!(starts.len(), 1);
    is_program(starts[0].split(' ').next().unwrap());
    assert_eq!(values(&service, "WorkingDirectory"), [HOME]);
    assert_eq!(
        values(&script("rayonnage.timer"), "Unit"),
        ["rayonnage.service"]
    );
    let cron = script("rayonnage.cron");
    let lines = cron
        .lines()
        .filter(|line| !line.starts_with('#') && !line.contains('='));
    let [night] = lines.collect::<Vec<_>>()[..] else {
        panic!("there is one line that is neither a comment nor a variable:\n{cron}");
    };
    let fields: Vec<&str> = night.splitn(7, ' ').collect();
    assert!(
        fields[..2].iter().all(|field| field.parse::<u8>().is_ok()),
        "{night}"
    );
    assert_eq!(fields[2..6], ["*", "*", "*", "rayonnage"]);
    assert!(!fields[6].contains('%'), "cron takes % for a line end");
    let program = fields[6].split("exec ").nth(1).unwrap();
    is_program(program.split(' ').next().unwrap());
    // Both read the same file.
    assert_eq!(values(&service, "EnvironmentFile"), ["/etc/rayonnage.env"]);
    assert!(fields[6].contains(". /etc/rayonnage.env;"));
}

/// A misspelt variable would be ignored, silently.
#[test]
fn the_environment_file_names_variables_that_somebody_reads() {
    let names: BTreeSet<String> = script("rayonnage.env")
        .lines()
        .filter_map(|line| line.trim_start_matches('#').split_once('='))
        .map(|(name, _)| name.to_owned())
        .filter(|name| {
            name.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        })
        .collect();
    assert!(names.len() > 8, "{names:?}");
    let pipeline = std::fs::read_to_string(checkout().join("pipeline.yaml")).unwrap();
    let readme = std::fs::read_to_string(checkout().join("README.md")).unwrap();
    let night = script("night.sh");
    let program = ["lineage/mod.rs", "lineage/sender.rs"].map(|file| {
        let path = checkout().join("src/operation").join(file);
        std::fs::read_to_string(path).unwrap()
    });
    for name in names {
        let places = [&pipeline, &night, &program[0], &program[1]];
        let is_read = places.iter().any(|text| text.contains(&name));
        let is_standard = name.starts_with("AWS_") || name.starts_with("OMP_");
        assert!(is_read || is_standard, "{name}");
        assert!(readme.contains(&name), "{name} is not in the README");
    }
}

#[test]
fn a_night_runs_on_the_dump_of_its_day_and_ends_with_the_exit_code_of_the_program() {
    let space = TestSpace::new();
    let dumps = space.path("dumps");
    std::fs::create_dir(&dumps).unwrap();
    std::os::unix::fs::symlink(space.path("catalogue"), dumps.join("2026-11-20")).unwrap();
    let night = |arguments: &[&str], date: &str| {
        let mut command = Command::new(checkout().join("scripts/night.sh"));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("RAYONNAGE_") || name.starts_with("OPENLINEAGE_") {
                command.env_remove(name);
            }
        }
        command
            .env("RAYONNAGE", env!("CARGO_BIN_EXE_rayonnage"))
            .env("RAYONNAGE_DUMPS", &dumps)
            .env("RAYONNAGE_DATE", date)
            .env("RAYONNAGE_CHECKPOINTS", space.path("checkpoints"))
            .env("RAYONNAGE_SINK", space.path("out"))
            .env("RAYONNAGE_METRICS", space.path("night.prom"))
            .args(arguments)
            .current_dir("/");
        command.output().unwrap()
    };
    let outcome = night(&["--until", "ingest"], "2026-11-20");
    assert_eq!(outcome.status.code(), Some(0), "{outcome:?}");
    let stderr = String::from_utf8(outcome.stderr).unwrap();
    assert!(
        !stderr.is_empty() && stderr.lines().all(|line| line.starts_with('{')),
        "{stderr}"
    );
    assert_eq!(space.record().exit_code, 0);
    let metrics = space.read("night.prom");
    assert!(
        metrics.contains(
            "rayonnage_dump_date_timestamp_seconds{pipeline=\"rakuten-catalogue\"} 1795132800\n"
        ),
        "{metrics}"
    );
    assert_eq!(
        night(&["--until", "ingest"], "2026-11-21").status.code(),
        Some(11)
    );
    assert_eq!(
        night(&["--until", "nonsense"], "2026-11-20").status.code(),
        Some(2)
    );
    let today = Command::new("date").arg("+%F").output().unwrap().stdout;
    let today = String::from_utf8(today).unwrap();
    let outcome = night(&["--until", "ingest"], "");
    let stderr = String::from_utf8(outcome.stderr).unwrap();
    assert!(
        stderr.contains(&format!("dumps/{}", today.trim())),
        "{stderr}"
    );
}

/// systemd's own opinion, where it is installed.
#[test]
fn systemd_finds_nothing_wrong() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        eprintln!("systemd is not installed, so it was not asked about the units");
        return;
    };
    assert!(version.status.success());
    let folder = tempfile::tempdir().unwrap();
    let home = checkout().display().to_string();
    let units: Vec<PathBuf> = ["rayonnage.service", "rayonnage.timer"]
        .map(|name| {
            let unit = script(name).replace(HOME, &home);
            let path = folder.path().join(name);
            std::fs::write(&path, unit.replace("/etc/", &format!("{home}/scripts/"))).unwrap();
            path
        })
        .to_vec();
    let verified = Command::new("systemd-analyze")
        .arg("verify")
        .args(&units)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    let about_us: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("rayonnage"))
        .collect();
    assert!(verified.status.success() && about_us.is_empty(), "{said}");
}
