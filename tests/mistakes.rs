//! The mistakes that a new user is most likely to make, tried as that user would: what the program says to each stands in
//! `tests/golden/mistakes/`, one file each, and names the place and what to do.

use crate::golden::{assert_golden, normalised};
use crate::space::{Outcome, TestSpace, options};
use rayonnage::checkpoint::LOCK_FILE;
use rayonnage::store;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

/// A folder as a new user has it.
fn space() -> TestSpace {
    TestSpace::new()
}

/// Makes the mistake and compares what is said of it.
#[track_caller]
fn expect(
    name: &str,
    space: &TestSpace,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Outcome {
    let mut command = space.bare_command(arguments);
    command.env("RAYONNAGE_LOG", "error").env("COLUMNS", "100");
    command.envs(variables.iter().copied());
    let outcome = Outcome::of(&mut command);
    let variables: Vec<String> = variables
        .iter()
        .map(|(name, value)| format!("{name}={value} "))
        .collect();
    let text = format!(
        "$ {}rayonnage {}\n{}exit code {}\n",
        variables.concat(),
        arguments.join(" "),
        outcome.stderr,
        outcome.code.unwrap(),
    );
    assert_golden(&format!("mistakes/{name}"), &normalised(&text, space));
    assert_ne!(outcome.code, Some(0));
    outcome
}

/// Replaces in a file something that must be there.
#[track_caller]
fn edit(space: &TestSpace, file: &str, before: &str, after: &str) {
    let text = space.read(file);
    assert!(text.contains(before), "{before:?} is not in {file}");
    space.write(file, text.replacen(before, after, 1));
}

const CONFIG: &str = "pipeline.yaml";
const PRODUCTS: &str = "catalogue/X_train_update.csv";
const LABELS: &str = "catalogue/Y_train_CVw08PX.csv";

#[test]
fn configurations_that_cannot_be_read() {
    let space = space();
    expect("no_such_command", &space, &["rnu"], &[]);
    expect("no_such_option", &space, &["run", "--form", "split"], &[]);
    edit(
        &space,
        CONFIG,
        "  clean_text:\n    kind",
        "  split:\n    kind",
    );
    expect("yaml_key_twice", &space, &["run"], &[]);
    edit(&space, CONFIG, "\nsource:\n", "\nsource\n");
    expect("yaml_lost_colon", &space, &["run"], &[]);
    space.write(CONFIG, "name: shop\nstages:\n\tingest: { kind: ingest }\n");
    expect("yaml_tab", &space, &["run"], &[]);
    space.write(
        CONFIG,
        "name: d\u{e9}p\u{f4}t"
            .chars()
            .map(|c| c as u8)
            .collect::<Vec<_>>(),
    );
    expect("not_utf8", &space, &["run"], &[]);
    space.write(CONFIG, "");
    expect("empty_configuration", &space, &["run"], &[]);
    fs::remove_file(space.path(CONFIG)).unwrap();
    expect("no_configuration", &space, &["run"], &[]);
}

#[test]
fn keys_and_values_that_are_wrong() {
    let space = space();
    for (before, after) in [
        ("seed: 123  ", "sead: 123  "),
        ("max_words: 500", "max_wrods: 500"),
        ("kind: fit_tfidf\n", "kind: fit_tfdif\n"),
        ("needs: [translate]", "needs: [transalte]"),
        ("stem: french", "stem: frnech"),
        ("rows_per_part: 512", "rows_per_part: many"),
        ("single_writer: false", "single_writer: maybe"),
        ("lowercase: true", "lowercase: 1"),
        ("test: 0.2\n", "test: a fifth\n"),
        ("model: linear_svm\n", "model: linear_svn\n"),
    ] {
        edit(&space, CONFIG, before, after);
    }
    expect("misspelt_keys_and_wrong_types", &space, &["validate"], &[]);
    let space = TestSpace::with_sample(&options(20));
    let before = "needs: [linear_svm_blocks, logistic_regression, neural_simple]";
    edit(
        &space,
        CONFIG,
        before,
        "needs: [linear_svm_blocks, soft_vote]",
    );
    expect("circle", &space, &["validate"], &[]);
    let space = TestSpace::with_sample(&options(20));
    edit(&space, CONFIG, "name: rakuten-catalogue", "name: ${SHOP}");
    expect("variable_not_set", &space, &["validate"], &[]);
}

#[test]
fn settings_and_dates_that_are_wrong() {
    let space = TestSpace::with_sample(&options(20));
    for (name, setting) in [
        ("set_misspelt_stage", "clean_txt.params.max_words=3"),
        ("set_without_stage", "max_words=3"),
        ("set_without_value", "seed"),
        ("set_wrong_type", "clean_text.params.max_words=few"),
        ("set_no_yaml", "clean_text.params.stem=[french"),
    ] {
        expect(name, &space, &["validate", "--set", setting], &[]);
    }
    fs::remove_file(space.path("catalogue/sample.json")).unwrap();
    expect("no_date", &space, &["run"], &[]);
    for (name, date) in [
        ("malformed_date", "20.11.2026"),
        ("impossible_date", "2026-02-31"),
    ] {
        expect(name, &space, &["run"], &[("RAYONNAGE_DATE", date)]);
    }
}

#[test]
fn catalogues_that_are_not_as_configured() {
    let ingest = ["run", "--until", "ingest"];
    let space = space();
    let nowhere = [("RAYONNAGE_SOURCE", "/dumps/2026-11-20")];
    expect("no_catalogue", &space, &ingest, &nowhere);
    let images = "image_train/image_{imageid}";
    edit(&space, CONFIG, images, "image_train/image_{image_id}");
    expect("image_path_of_unknown_column", &space, &ingest, &[]);
    edit(&space, CONFIG, "image_train/image_{image_id}", images);
    edit(&space, PRODUCTS, "designation", "titre");
    expect("missing_column", &space, &ingest, &[]);
    edit(&space, PRODUCTS, "titre", "designation");
    let first = "0,again,,1,2\n1,again,,1,2\n2,again,,1,2\n";
    space.append(PRODUCTS, first);
    expect("duplicate_ids", &space, &ingest, &[]);
    fs::remove_file(space.path(LABELS)).unwrap();
    expect("no_labels", &space, &ingest, &[]);
}

#[test]
fn stores_that_cannot_be_used() {
    let space = TestSpace::with_sample(&options(20));
    space.write("file", "");
    let split = |root: &str| ["run", "--until", "split", "--set", root].map(str::to_owned);
    for (name, root) in [
        ("checkpoints_below_a_file", "checkpoints=file/checkpoints"),
        ("sink_below_a_file", "sink.root=file/out"),
        ("unknown_scheme", "checkpoints=ftp://shop/checkpoints"),
        (
            "credentials_in_a_url",
            "checkpoints=s3://me:secret@shop/checkpoints",
        ),
        (
            "checkpoints_on_a_web_server",
            "checkpoints=http://127.0.0.1:9/checkpoints",
        ),
    ] {
        let arguments = split(root);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        expect(name, &space, &arguments, &[]);
    }
    let on_web = [
        "plan",
        "--set",
        "checkpoints=http://127.0.0.1:9/checkpoints",
    ];
    expect("plan_of_checkpoints_on_a_web_server", &space, &on_web, &[]);
    let on_web = ["status", "--set", "sink.root=http://127.0.0.1:9/out"];
    expect("status_of_a_sink_on_a_web_server", &space, &on_web, &[]);
}

/// Variables that name a server, and what is not there; none of these needs a server.
#[test]
fn buckets_that_cannot_be_reached() {
    let space = TestSpace::with_sample(&options(20));
    let run = |key: &str| ["run", "--until", "split", "--set", key].map(str::to_owned);
    let keys = [
        ("AWS_REGION", "eu-west-3"),
        ("AWS_ACCESS_KEY_ID", "nobody"),
        ("AWS_SECRET_ACCESS_KEY", "hush-hush"),
    ];
    let s3 = "checkpoints=s3://shop/checkpoints";
    let nobody = nobody();
    let plain = format!("http://{nobody}");
    let metadata = [
        ("AWS_ENDPOINT_URL", plain.as_str()),
        ("AWS_METADATA_ENDPOINT", plain.as_str()),
    ];
    for (name, root, variables) in [
        (
            "endpoint_without_scheme",
            s3,
            [&keys[..], &[("AWS_ENDPOINT_URL", "127.0.0.1:9000")]].concat(),
        ),
        (
            "endpoint_with_a_password",
            s3,
            [
                &keys[..],
                &[("AWS_ENDPOINT_URL", "me:secret-word@minio:9000")],
            ]
            .concat(),
        ),
        (
            "azure_endpoint_without_scheme",
            "sink.root=az://shop/out",
            vec![
                ("AZURE_STORAGE_ACCOUNT_NAME", "me"),
                ("AZURE_STORAGE_ACCOUNT_KEY", "a2V5"),
                ("AZURE_STORAGE_ENDPOINT", "azurite:10000/me"),
            ],
        ),
        (
            "google_url_without_scheme",
            "source.root=gs://shop/dump",
            vec![("GOOGLE_BASE_URL", "storage.example")],
        ),
        (
            "server_that_is_not_there",
            s3,
            [&keys[..], &[("AWS_ENDPOINT_URL", plain.as_str())]].concat(),
        ),
        ("no_credentials", s3, metadata.to_vec()),
    ] {
        let arguments = run(root);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let started = std::time::Instant::now();
        let outcome = expect(name, &space, &arguments, &variables);
        for secret in ["hush-hush", "secret-word"] {
            assert!(!outcome.stderr.contains(secret), "{outcome:#?}");
        }
        let waited = started.elapsed().as_secs();
        assert!(waited < 40, "{name}: {waited} s");
    }
}

/// An address where nobody listens.
fn nobody() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// A server that has nothing: a bucket is not there, or the folder in it.
#[test]
fn a_source_that_is_not_in_its_bucket() {
    let space = TestSpace::with_sample(&options(20));
    let address = answering("404 Not Found", "");
    let variables = [
        ("AWS_ENDPOINT_URL", address.as_str()),
        ("AWS_REGION", "eu-west-3"),
        ("AWS_ACCESS_KEY_ID", "nobody"),
        ("AWS_SECRET_ACCESS_KEY", "hush-hush"),
        ("RAYONNAGE_SOURCE", "s3://shop/dumps/2026-11-20"),
    ];
    expect("no_catalogue_in_a_bucket", &space, &["plan"], &variables);
    let bucket = ["run", "--set", "checkpoints=s3://shop/checkpoints"];
    expect("no_bucket", &space, &bucket, &variables[..4]);
    let mut of_night = variables.to_vec();
    of_night.push(("RAYONNAGE_DUMPS", "s3://shop/dumps"));
    of_night.push(("RAYONNAGE_DATE", "2026-11-20"));
    expect("no_dump_of_that_day", &space, &["run"], &of_night);
}

/// Starts a server that answers everything so, and returns its URL.
fn answering(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = [0; 4096];
            let _ = connection.read(&mut request);
            let head = "Connection: close\r\nContent-Type: application/xml\r\nContent-Length:";
            let length = body.len();
            // Who asked may be gone.
            let _ = write!(
                connection,
                "HTTP/1.1 {status}\r\n{head} {length}\r\n\r\n{body}"
            );
        }
    });
    address
}

/// A server that knows nobody.
#[test]
fn a_bucket_that_refuses_the_credentials() {
    let space = TestSpace::with_sample(&options(20));
    let body = "<Error><Code>InvalidAccessKeyId</Code><Message>Unknown key</Message></Error>";
    let address = answering("403 Forbidden", body);
    let arguments = [
        "run",
        "--until",
        "split",
        "--set",
        "checkpoints=s3://shop/checkpoints",
    ];
    let variables = [
        ("AWS_ENDPOINT_URL", address.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "eu-west-3"),
        ("AWS_ACCESS_KEY_ID", "nobody"),
        ("AWS_SECRET_ACCESS_KEY", "hush-hush"),
    ];
    let outcome = expect("refused_credentials", &space, &arguments, &variables);
    assert!(!outcome.stderr.contains("hush-hush"), "{outcome:#?}");
}

#[test]
fn stages_that_cannot_run() {
    let space = TestSpace::with_sample(&options(20));
    expect(
        "only_with_dirty_needs",
        &space,
        &["run", "--only", "tfidf"],
        &[],
    );
    expect("misspelt_stage", &space, &["explain", "clean_txt"], &[]);
    expect(
        "unknown_stage",
        &space,
        &["run", "--until", "everything"],
        &[],
    );
    expect(
        "skipped_stage",
        &space,
        &["explain", "embed_mobilenet_v2"],
        &[],
    );
    expect("unknown_device", &space, &["run", "--device", "gpu"], &[]);
    let checkpoints = store::open(&space.path("checkpoints").display().to_string()).unwrap();
    let guard = checkpoints.lock(LOCK_FILE, "run 1 (process 2)").unwrap();
    expect("second_run", &space, &["run"], &[]);
    drop(guard);
    let cuda = space
        .bare_command(&["run", "--device", "cuda"])
        .output()
        .unwrap();
    if String::from_utf8_lossy(&cuda.stderr).contains("sees 0 CUDA") {
        expect("no_cuda", &space, &["run", "--device", "cuda"], &[]);
    } else {
        eprintln!("skipped: there is a GPU, so that nobody can be told that there is none");
    }
}

#[test]
fn what_is_looked_at_and_is_not_there() {
    let space = TestSpace::with_sample(&options(20));
    let show = |query: &'static str| ["show", "--sql", query];
    expect("show_before_any_run", &space, &["show", "split"], &[]);
    expect("diff_before_any_run", &space, &["diff"], &[]);
    let done = Outcome::of(&mut space.bare_command(&["run", "--until", "split"]));
    done.expect(0, &[]);
    expect("diff_of_one_run", &space, &["diff"], &[]);
    expect(
        "show_of_unknown_dataset",
        &space,
        &["show", "ingest", "nothing"],
        &[],
    );
    expect(
        "show_of_misspelt_dataset",
        &space,
        &["show", "ingest", "labeled"],
        &[],
    );
    for (name, query) in [
        ("query_of_unknown_table", "SELECT id FROM splt"),
        ("query_that_deletes", "DELETE FROM split"),
        (
            "query_of_misspelt_column",
            "SELECT id, descripton, titel FROM ingest.labelled",
        ),
        (
            "query_of_misspelt_column_in_a_join",
            "SELECT s.foldd FROM ingest.labelled i JOIN split s ON i.id = s.id",
        ),
        (
            "query_of_misspelt_column_in_a_filter",
            "SELECT id FROM split WHERE fol = 'test'",
        ),
    ] {
        expect(name, &space, &show(query), &[]);
    }
    fs::create_dir(space.path("pages")).unwrap();
    for (name, file) in [
        ("report_into_no_folder", "nowhere/report.html"),
        ("report_onto_a_folder", "pages"),
    ] {
        expect(name, &space, &["report", "--out", file], &[]);
    }
}

#[test]
fn weights_that_are_not_those_that_are_meant() {
    let space = TestSpace::with_sample(&options(20));
    let digest = "0123456789abcdef".repeat(4);
    let embed = ["run", "--until", "embed_mobilenet_v2"];
    let variables = [
        ("RAYONNAGE_MOBILENET_V2", "weights.pth"),
        ("RAYONNAGE_MOBILENET_V2_SHA256", digest.as_str()),
    ];
    expect("no_weights", &space, &embed, &variables);
    space.write("weights.pth", "other weights");
    expect("wrong_weights", &space, &embed, &variables);
    expect("weights_without_digest", &space, &embed, &variables[..1]);
}

#[test]
fn queries_and_checks_that_are_wrong() {
    let space = TestSpace::with_sample(&options(20));
    let detect = ["run", "--until", "detect_language"];
    let query = "sql/merge_text.sql";
    let shipped = space.read(query);
    for (name, text) in [
        ("sql_no_select", "SELCT id FROM products"),
        (
            "sql_syntax",
            "SELECT id, title AS text FORM products ORDER BY id",
        ),
        (
            "sql_unknown_column",
            "SELECT id, titel AS text FROM products ORDER BY id",
        ),
        (
            "sql_unknown_table",
            "SELECT id, title AS text FROM product ORDER BY id",
        ),
    ] {
        space.write(query, text);
        expect(name, &space, &detect, &[]);
    }
    space.write(query, shipped);
    let split = ["run", "--until", "split"];
    for (name, text) in [
        ("check_without_stage", "SELECT id FROM labelled ORDER BY id"),
        (
            "check_of_unknown_severity",
            "-- stage: split\n-- severity: fatal\nSELECT id FROM labelled ORDER BY id",
        ),
        (
            "check_of_unknown_column",
            "-- stage: split\nSELECT ident FROM labelled ORDER BY ident",
        ),
        (
            "check_that_finds_rows",
            "-- stage: split\nSELECT id, fold FROM labelled WHERE fold = 'test' ORDER BY id",
        ),
    ] {
        space.write("sql/checks/mine.sql", text);
        expect(name, &space, &split, &[]);
    }
}

#[test]
fn a_checkpoint_that_is_damaged() {
    let space = TestSpace::with_sample(&options(20));
    let done = Outcome::of(&mut space.bare_command(&["run", "--until", "ingest"]));
    done.expect(0, &[]);
    let folder = space.checkpoint_folder("ingest");
    let part = fs::read_dir(space.path(&format!("{folder}/labelled")))
        .unwrap()
        .next()
        .unwrap();
    let path = part.unwrap().path();
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    // The part is a hard link of nothing else here, and its name is what its digest was.
    fs::write(&path, bytes).unwrap();
    expect(
        "damaged_checkpoint",
        &space,
        &["run", "--until", "split"],
        &[],
    );
}
