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

/// What is on from the beginning has to be there from the beginning: folders that the service makes, and the one of the dumps.
#[test]
fn the_environment_file_turns_nothing_on_that_has_to_be_prepared() {
    let text = script("rayonnage.env");
    let set = text.lines().filter(|line| !line.starts_with('#'));
    let set: Vec<(&str, &str)> = set.filter_map(|line| line.split_once('=')).collect();
    assert!(set.len() > 3, "{set:?}");
    for (name, value) in set {
        let is_made = value.starts_with("/var/lib/rayonnage/") || name == "RAYONNAGE_DUMPS";
        assert!(is_made, "{name}={value}");
    }
}

/// One name, one meaning: the program's cache of parts is not where scripts keep what they set up.
#[test]
fn scripts_of_the_set_up_read_no_variable_of_the_pipeline() {
    let pipeline = std::fs::read_to_string(checkout().join("pipeline.yaml")).unwrap();
    let read = pipeline.split("${RAYONNAGE_").skip(1);
    let names: BTreeSet<&str> = read
        .map(|rest| &rest[..rest.find([':', '}']).unwrap()])
        .collect();
    assert!(names.contains("CACHE") && names.len() > 5, "{names:?}");
    let mut seen = 0;
    for entry in std::fs::read_dir(checkout().join("scripts")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        if !file.starts_with("setup-") {
            continue;
        }
        seen += 1;
        let text = script(&file);
        for name in &names {
            assert!(
                !text.contains(&format!("{{RAYONNAGE_{name}:-")),
                "{file} reads {name}"
            );
        }
        assert!(text.contains("${RAYONNAGE_SETUP_CACHE:-"), "{file}");
    }
    assert!(seen > 3);
}

/// `night.sh` without what may come from outside.
fn night(space: &TestSpace) -> Command {
    let mut command = Command::new(checkout().join("scripts/night.sh"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("RAYONNAGE") || name.starts_with("OPENLINEAGE_") {
            command.env_remove(name);
        }
    }
    command
        .env("RAYONNAGE", env!("CARGO_BIN_EXE_rayonnage"))
        .env("RAYONNAGE_CHECKPOINTS", space.path("checkpoints"))
        .env("RAYONNAGE_SINK", space.path("out"))
        .env("RAYONNAGE_DEVICE", "cpu")
        .current_dir("/");
    command
}

/// Exit code and last line of a night that failed.
#[track_caller]
fn failed(command: &mut Command) -> (i32, serde_json::Value) {
    let outcome = command.output().unwrap();
    let said = String::from_utf8(outcome.stderr).unwrap();
    let lines: Result<Vec<serde_json::Value>, _> = said.lines().map(serde_json::from_str).collect();
    let last = lines
        .unwrap_or_else(|error| panic!("{error}: {said}"))
        .pop();
    let last = last.unwrap();
    assert_eq!(last["message"], "command failed", "{said}");
    let code = outcome.status.code().unwrap();
    assert_eq!(last["exit_code"], code, "{said}");
    (code, last)
}

#[test]
fn a_night_that_cannot_begin_says_why_in_the_form_of_the_log() {
    let space = TestSpace::new();
    let (code, line) = failed(&mut night(&space));
    assert_eq!(code, 10);
    assert!(
        line["error"].as_str().unwrap().contains("RAYONNAGE_DUMPS"),
        "{line}"
    );
    let (code, line) = failed(
        night(&space)
            .env("RAYONNAGE_DUMPS", "/x")
            .env("RAYONNAGE", "/no/\"such\" program"),
    );
    assert_eq!(code, 127);
    assert!(
        line["error"]
            .as_str()
            .unwrap()
            .contains("/no/\"such\" program"),
        "{line}"
    );
    let nowhere = space.path("");
    let mut bare = night(&space);
    bare.env("RAYONNAGE_DUMPS", "/x")
        .env("RAYONNAGE", "")
        .env("CARGO_TARGET_DIR", &nowhere)
        .env("PATH", "/usr/bin:/bin");
    let (code, line) = failed(&mut bare);
    assert_eq!(code, 127);
    assert!(
        line["remedy"].as_str().unwrap().contains("make build"),
        "{line}"
    );
    // A command line that the program does not understand.
    let (code, line) = failed(night(&space).env("RAYONNAGE_DUMPS", "/x").arg("--nonsense"));
    assert_eq!(code, 2);
    assert!(
        line["error"].as_str().unwrap().contains("--nonsense"),
        "{line}"
    );
    let outcome = night(&space)
        .env("RAYONNAGE_LOG_FORMAT", "text")
        .output()
        .unwrap();
    assert!(
        outcome.stderr.starts_with(b"error: RAYONNAGE_DUMPS"),
        "{outcome:?}"
    );
}

#[test]
fn the_program_is_found_where_it_was_built_or_in_the_path() {
    let space = TestSpace::new();
    let program = env!("CARGO_BIN_EXE_rayonnage");
    let built = space.path("target/release");
    std::fs::create_dir_all(&built).unwrap();
    std::os::unix::fs::symlink(program, built.join("rayonnage")).unwrap();
    let ingest = |command: &mut Command| {
        let command = command.args(["--until", "ingest"]).env_remove("RAYONNAGE");
        let source = space.path("catalogue");
        command.env("RAYONNAGE_SOURCE", source).output().unwrap()
    };
    let outcome = ingest(night(&space).env("CARGO_TARGET_DIR", space.path("target")));
    assert_eq!(outcome.status.code(), Some(0), "{outcome:?}");
    let path = format!("{}:/usr/bin:/bin", built.display());
    let outcome = ingest(
        night(&space)
            .env("CARGO_TARGET_DIR", space.path(""))
            .env("PATH", path),
    );
    assert_eq!(outcome.status.code(), Some(0), "{outcome:?}");
}

#[test]
fn a_failed_night_is_resumed_for_its_own_day() {
    let space = TestSpace::new();
    let dumps = space.path("dumps");
    std::fs::create_dir(&dumps).unwrap();
    let mut command = night(&space);
    command
        .env("RAYONNAGE_DUMPS", &dumps)
        .env("RAYONNAGE_DATE", "2026-11-20")
        .args(["--jobs", "2", "--force"]);
    let (code, line) = failed(&mut command);
    assert_eq!(code, 11);
    let remedy = line["remedy"].as_str().unwrap();
    assert!(
        remedy.contains("RAYONNAGE_DUMPS") && !remedy.contains("sample"),
        "{line}"
    );
    let summary = line["summary"].as_str().unwrap();
    let script = checkout().join("scripts/night.sh");
    let resume = format!(
        "resume with: RAYONNAGE_DATE=2026-11-20 {} --device cpu --jobs 2",
        script.display()
    );
    assert!(summary.ends_with(&resume), "{summary}");
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
