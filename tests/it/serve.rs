//! `causeway serve`: jobs, metrics and health of one real process, over real connections.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use causeway_server::{FAMILIES, FamilyKind};
use serde_json::Value;

use crate::product::{Product, repository, within};

/// Works for some seconds, then writes one row.
const SLOW: &str = "INSERT INTO a.t SELECT count(*) FROM generate_series(1, 6000) a \
                    JOIN generate_series(1, 6000) b ON a.value < b.value";

/// A process that serves, killed at the end of its test.
pub(crate) struct Serving {
    child: Child,
    address: String,
    said: Arc<Mutex<String>>,
}

impl Serving {
    fn start(lake: &Product, options: &[&str]) -> Self {
        Self::run(lake.command(&[&["serve", "--listen", "127.0.0.1:0"], options].concat()))
    }

    /// Starts a command that serves, and waits until it does.
    pub(crate) fn run(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.find(|line| line.as_ref().unwrap().contains("listening on")).unwrap().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let hears = Arc::clone(&said);
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| hears.lock().unwrap().push_str(&(line + "\n")));
        });
        let address = line.split_once("http://").unwrap().1.split(';').next().unwrap().to_owned();
        Self { child, address, said }
    }

    /// Returns what it has said on standard error since it serves.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    fn terminate(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
    }

    fn wait(&mut self) -> Option<i32> {
        within("the process ends", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _: std::io::Result<()> = self.child.kill();
        let _: std::io::Result<std::process::ExitStatus> = self.child.wait();
    }
}

fn lake() -> Product {
    let lake = Product::init();
    lake.ok(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.t AS SELECT CAST(0 AS BIGINT) AS n"]);
    lake
}

fn pipeline(lake: &Product, name: &str, steps: &[(&str, &str)]) -> String {
    let folder = lake.folder().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("pipeline.toml"), format!("name = \"{name}\"\n")).unwrap();
    for (step, sql) in steps {
        std::fs::write(folder.join(format!("{step}.sql")), format!("{sql};\n")).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

fn job(lake: &Product, id: i64) -> Value {
    let jobs: Value = serde_json::from_str(&lake.ok(&["jobs", "--json"])).unwrap();
    jobs.as_array().unwrap().iter().find(|job| job["job"] == id).unwrap().clone()
}

fn submit(lake: &Product, args: &[&str]) -> i64 {
    let job: Value = serde_json::from_str(&lake.ok(&[&["submit", "--json"], args].concat())).unwrap();
    job["job"].as_i64().unwrap()
}

/// A family as it was scraped: its type, and its samples with their labels.
#[derive(Debug, Default)]
struct Scraped {
    kind: String,
    samples: Vec<(String, BTreeMap<String, String>, String)>,
}

/// Reads the text format strictly: help, type, then samples that belong to them.
fn parse(text: &str) -> BTreeMap<String, Scraped> {
    let mut families: BTreeMap<String, Scraped> = BTreeMap::new();
    let (mut current, mut seen) = (String::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            current = help.split_once(' ').unwrap().0.to_owned();
            assert!(families.insert(current.clone(), Scraped::default()).is_none(), "{current} stands twice");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, current);
            families.get_mut(&current).unwrap().kind = kind.to_owned();
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|ending| name.strip_suffix(ending));
            assert!(name == current || base == Some(&current), "{line} does not belong to {current}");
            assert!(seen.insert(series.to_owned()), "{series} stands twice");
            let labels = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty());
            let labels = labels.map(|label| {
                let (key, value) = label.split_once("=\"").unwrap();
                (key.to_owned(), value.trim_end_matches('"').to_owned())
            });
            assert!(value == "+Inf" || value.parse::<f64>().is_ok(), "{line}");
            families.get_mut(&current).unwrap().samples.push((name.to_owned(), labels.collect(), value.to_owned()));
        }
    }
    families
}

/// Returns the only sample of a family that has these labels.
fn sample(families: &BTreeMap<String, Scraped>, name: &str, labels: &[(&str, &str)]) -> u64 {
    let samples = &families.get(name).unwrap().samples;
    let fits = |found: &BTreeMap<String, String>| {
        labels.iter().all(|(key, value)| found.get(*key).is_some_and(|found| found == value))
    };
    let values: Vec<u64> =
        samples.iter().filter(|(_, found, _)| fits(found)).map(|(_, _, value)| value.parse().unwrap()).collect();
    assert_eq!(values.len(), 1, "{name} {labels:?}");
    values[0]
}

#[test]
fn what_is_scraped_is_what_the_table_says_and_names_nobody() {
    let lake = lake();
    lake.ok(&["sql", "-c", "CREATE USER ann; GRANT SELECT, INSERT ON a.t TO ann"]);
    std::fs::write(lake.folder().join("secret-visits.csv"), "n\n1984\n1985\n").unwrap();
    let load = pipeline(&lake, "nightly", &[("1_load", "COPY INTO a.visits FROM 'secret-visits.csv'")]);
    std::fs::copy(lake.folder().join("secret-visits.csv"), lake.folder().join("nightly/secret-visits.csv")).unwrap();
    let mut serving = Serving::start(&lake, &["--name", "worker-of-the-test"]);
    lake.ok(&["submit", "--wait", "--pipeline", &load]);
    lake.ok(&["--user", "ann", "submit", "--wait", "INSERT INTO a.t SELECT 198403"]);
    lake.run(&["submit", "--wait", "INSERT INTO a.nowhere SELECT 198403"]);
    let yearly = pipeline(&lake, "yearly", &[("1_year", "CREATE OR REPLACE TABLE a.year AS SELECT 1 AS n")]);
    let manifest = "name = \"yearly\"\n[schedule]\ncron = \"0 0 1 1 *\"\n[[trigger]]\npath = \"in/*.csv\"\n";
    std::fs::write(lake.folder().join("yearly/pipeline.toml"), manifest).unwrap();
    std::fs::create_dir_all(lake.folder().join("yearly/in")).unwrap();
    lake.ok(&["schedule", "add", &yearly]);
    lake.ok(&["backfill", "yearly", "--from", "2026-01-01", "--to", "2026-01-01", "--wait"]);
    let last_success = "causeway_schedule_last_success_timestamp_seconds{";
    assert!(!serving.get("/metrics").1.contains(last_success), "a backfill says nothing of how it fares now");
    std::fs::write(lake.folder().join("yearly/in/a.csv"), "n\n1\n").unwrap();
    within("it has fired and succeeded", || serving.get("/metrics").1.contains(last_success));
    assert_eq!(serving.get("/nowhere").0, 404);
    assert_eq!(serving.get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(serving.get("/readyz"), (200, "ready\n".to_owned()));
    serving.get("/metrics");
    // The orphans of a table are counted beside the work.
    within("orphans are counted", || serving.get("/metrics").1.contains("causeway_orphan_bytes{"));
    let (status, text) = serving.get("/metrics");
    assert_eq!(status, 200);
    let families = parse(&text);
    let told: BTreeMap<&str, &str> =
        families.iter().map(|(name, family)| (name.as_str(), family.kind.as_str())).collect();
    let table: BTreeMap<&str, &str> = FAMILIES.iter().map(|family| (family.name, family.kind.name())).collect();
    assert_eq!(told, table);
    for family in FAMILIES {
        let allowed: BTreeSet<&str> = family.labels.iter().map(|label| label.name).collect();
        for (name, labels, _) in &families[family.name].samples {
            let found: BTreeSet<&str> = labels.keys().map(String::as_str).filter(|label| *label != "le").collect();
            assert_eq!(found, allowed, "{name}");
        }
        assert!(family.kind != FamilyKind::Histogram || text.contains(&format!("{}_bucket{{", family.name)));
    }
    for private in ["ann", "198403", "1984", "secret", "INSERT", "worker-of-the-test", "CW0103"] {
        assert!(!text.contains(private), "{private} is shown");
    }
    let runs = |job, outcome| sample(&families, "causeway_job_runs_total", &[("job", job), ("outcome", outcome)]);
    assert_eq!((runs("nightly", "succeeded"), runs("statement", "succeeded"), runs("statement", "failed")), (1, 1, 1));
    let value = |name, labels: &[_]| sample(&families, name, labels);
    assert_eq!(value("causeway_ingest_rows_total", &[("table", "a.visits"), ("result", "ok")]), 2);
    assert_eq!(value("causeway_jobs", &[("state", "dead")]), 1);
    assert_eq!(value("causeway_workers", &[("state", "running")]), 1);
    assert_eq!(value("causeway_table_version", &[("table", "a.t")]), 1);
    assert!(value("causeway_delta_commits_total", &[]) >= 2 && value("causeway_audit_log_size", &[]) > 0, "{text}");
    assert_eq!(value("causeway_build_info", &[]), 1);
    serving.terminate();
    assert_eq!(serving.wait(), Some(0));
}

#[test]
fn a_process_that_is_stopped_ends_its_jobs_and_says_that_it_takes_no_other() {
    let lake = lake();
    let mut serving = Serving::start(&lake, &["--name", "s1"]);
    let id = submit(&lake, &[SLOW]);
    within("the job runs", || job(&lake, id)["state"] == "running");
    serving.terminate();
    within("it says that it drains", || serving.get("/readyz").0 == 503);
    assert!(serving.get("/readyz").1.contains("draining"));
    assert_eq!(serving.get("/healthz").0, 200, "it lives");
    let workers: Value = serde_json::from_str(&lake.ok(&["workers", "--json"])).unwrap();
    assert!(matches!(workers[0]["state"].as_str(), Some("draining" | "running")), "{workers}");
    assert!(serving.get("/metrics").1.contains("causeway_jobs{state=\"running\"} 1"), "the job goes on");
    assert_eq!(serving.wait(), Some(0));
    assert_eq!(job(&lake, id)["state"], "succeeded");
    let workers: Value = serde_json::from_str(&lake.ok(&["workers", "--json"])).unwrap();
    assert_eq!((&workers[0]["worker"], &workers[0]["state"]), (&"s1".into(), &"stopped".into()));
    assert!(lake.ok(&["audit", "verify"]).contains("records"));
}

#[test]
fn an_address_that_cannot_be_listened_on_is_said_before_any_job_is_taken() {
    let lake = lake();
    let waiting = submit(&lake, &["INSERT INTO a.t SELECT 1", "--group", "nobody"]);
    let first = Serving::start(&lake, &["--groups", "others"]);
    let taken = lake.run(&["serve", "--listen", &first.address]);
    let said = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert_eq!(taken.status.code(), Some(3), "{said}");
    assert!(said.contains("CW1002") && said.contains("another process listens there"), "{said}");
    let wrong = lake.run(&["serve", "--listen", "localhost"]);
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(wrong.status.code() == Some(2) && said.contains("CW1001") && said.contains("IP:PORT"), "{said}");
    assert_eq!(job(&lake, waiting)["state"], "queued");
}

#[test]
fn dashboards_and_rules_name_only_what_is_exported() {
    let known: BTreeSet<&str> = FAMILIES.iter().map(|family| family.name).collect();
    let mut n_named = 0;
    for path in ["infra/packaging/grafana/causeway.json", "infra/packaging/prometheus/causeway.rules.yml"] {
        let text = std::fs::read_to_string(repository(path)).unwrap();
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        for word in words.filter(|word| word.starts_with("causeway_")) {
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|ending| word.strip_suffix(ending));
            assert!(known.contains(word) || base.is_some_and(|base| known.contains(base)), "{path}: {word}");
            n_named += 1;
        }
    }
    assert!(n_named > 20, "{n_named}");
    let dashboard = std::fs::read_to_string(repository("infra/packaging/grafana/causeway.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().len() >= 8);
}
