//! The page of `report --html`: its figures are the lake's, nothing in it is a value, and a browser
//! shows it without a request.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use airudder_export::sandbox::SandboxOptions;
use serde_json::{Value, json};

use crate::harness::bucket::Bucket;
use crate::harness::lake::TABLES;
use crate::harness::scripted::{Reply, Scripted, answer};
use crate::harness::servers::{Kind, Server};
use crate::harness::shelf::Shelf as _;
use crate::harness::vendor::{clock, past_days};
use crate::harness::{Exporter, LakeView, NOW, Vendor, folder, packages, skip};

/// After the last of four days, when all of their tasks are final.
const NIGHT: &str = "2024-03-15T02:00:00Z";

/// The page of a lake, written to a file.
fn page_of(exporter: &Exporter, folder: &Path) -> String {
    let path = folder.join("page.html");
    let ended = exporter.run(&["report", "--html", path.to_str().expect("Unicode")]);
    let ended = ended.done();
    assert!(ended.stdout.starts_with("wrote "), "{}", ended.stdout);
    fs::read_to_string(path).expect("it is there")
}

/// The page without what is embedded in it.
fn shown(page: &str) -> String {
    let (before, rest) = page.split_once("<style>").expect("a style");
    let (_, rest) = rest.split_once("</style>").expect("its end");
    let (body, rest) = rest.split_once("</footer>").expect("a footer");
    let figures = rest.split_once("id=\"figures\">");
    let figures = figures.and_then(|(_, rest)| rest.split_once("</script>"));
    let figures = figures.map_or("", |(figures, _)| figures);
    format!("{before}{body}{figures}")
}

fn text_of(html: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for c in html.chars() {
        match c {
            '<' => is_tag = true,
            '>' => is_tag = false,
            c if !is_tag => text.push(c),
            _ => {}
        }
    }
    let text = text.replace("&#39;", "'").replace("&#60;", "<");
    text.replace("&#62;", ">")
        .replace("&#38;", "&")
        .trim()
        .to_owned()
}

/// The rows of the table below a heading, by their first cell.
pub(crate) fn table(page: &str, id: &str) -> BTreeMap<String, Vec<String>> {
    let start = format!("<div class=\"scroll\" role=\"region\" aria-labelledby=\"{id}\"");
    let Some((_, rest)) = page.split_once(start.as_str()) else {
        panic!("there is no table {id}");
    };
    let (table, _) = rest.split_once("</table>").expect("it ends");
    let rows = table.split("<tr>").skip(1).map(|row| {
        let cells = row
            .split("</t")
            .filter(|cell| cell.contains("<td") || cell.contains("<th"));
        let cell = |cell: &str| {
            let at = cell.find("<t").unwrap_or_default();
            text_of(&cell[at..])
        };
        let mut cells: Vec<String> = cells.map(cell).collect();
        let first = if cells.is_empty() {
            String::new()
        } else {
            cells.remove(0)
        };
        (first, cells)
    });
    rows.collect()
}

/// The day files of a lake, by date.
fn day_files(lake: &Path) -> BTreeMap<String, Value> {
    let files = fs::read_dir(lake.join("_export/days")).expect("day files");
    let files = files.map(|file| {
        let path = file.expect("readable").path();
        let day: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
        (day["date"].as_str().expect("a date").to_owned(), day)
    });
    files.collect()
}

fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(number: u64) -> String {
    match number {
        0..1024 => format!("{number} B"),
        1024..1_048_576 => format!("{}.{} KiB", number / 1024, number * 10 / 1024 % 10),
        _ => format!(
            "{}.{} MiB",
            number / 1_048_576,
            number * 10 / 1_048_576 % 10
        ),
    }
}

/// A lake with a gap, a night that failed, and drift.
fn odd_lake(folder: &Path) -> (Vendor, Exporter) {
    let vendor = Vendor::start(SandboxOptions {
        clock: clock(NIGHT),
        ..past_days(4, 6, 40)
    });
    let exporter = Exporter::new(folder).against(vendor.url()).at(NIGHT);
    // At times of their own: the newest run is the one that started last.
    for (day, time) in [
        ("2024-03-11", "2024-03-14T02:00:00Z"),
        ("2024-03-13", "2024-03-15T01:50:00Z"),
    ] {
        let exporter = exporter.clone().at(time);
        exporter
            .run(&["backfill", "--from", day, "--to", day])
            .done();
    }
    let locked = exporter.clone().set("AIRUDDER_APP_SECRET", "another");
    locked
        .run(&["backfill", "--from", "2024-03-14", "--to", "2024-03-14"])
        .with(77);
    (vendor, exporter)
}

/// What the tables of a page say is what the day files say.
fn assert_figures(
    rows: &BTreeMap<String, Vec<String>>,
    states: &BTreeMap<String, Vec<String>>,
    unfit: &BTreeMap<String, Vec<String>>,
    files: &BTreeMap<String, Value>,
) {
    assert!(files.len() > 1, "{files:?}");
    for (date, day) in files {
        let figures = |table: &str| &day["tables"][table];
        let number = |value: &Value| value.as_u64().expect("a number");
        if TABLES.iter().any(|table| figures(table)["files"] != 0) {
            let mut wanted: Vec<String> = Vec::new();
            for table in TABLES {
                wanted.push(count(number(&figures(table)["rows"])));
                wanted.push(bytes(number(&figures(table)["bytes"])));
            }
            let sum = |of: &str| {
                TABLES
                    .iter()
                    .map(|table| number(&figures(table)[of]))
                    .sum::<u64>()
            };
            wanted.extend([count(sum("files")), bytes(sum("bytes"))]);
            assert_eq!(rows[date], wanted, "{date}");
        }
        let state = &states[date];
        let word = if day["complete"] == true {
            "complete"
        } else {
            "in part"
        };
        assert_eq!(state[0], word, "{date}");
        let tasks = ["sealed", "open", "failed", "early"];
        let tasks = tasks.map(|kind| count(number(&day["tasks"][kind])));
        assert_eq!(state[1..5], tasks, "{date}");
        assert_eq!(state[5], count(number(&figures("calls")["rows"])));
        let misfits = day["misfits"].as_array().expect("a list").iter();
        let misfits = misfits.map(|misfit| number(&misfit["count"])).sum();
        let figures = [count(number(&day["rejects"])), count(misfits)];
        let none = ["0", "0"].map(str::to_owned);
        assert_eq!(
            unfit.get(date).map_or(&none[..], Vec::as_slice),
            figures,
            "{date}"
        );
        assert_eq!(state[7].is_empty(), word == "complete", "{date}: {state:?}");
    }
}

#[test]
fn its_figures_are_those_of_the_day_files() {
    let folder = folder();
    let (_vendor, exporter) = odd_lake(folder.path());
    let page = page_of(&exporter, folder.path());
    let states = table(&page, "days-table");
    assert_figures(
        &table(&page, "rows"),
        &states,
        &table(&page, "rejects-days"),
        &day_files(&exporter.dest()),
    );
    // The gap, which has no day file of its own.
    assert_eq!(states["2024-03-12"][0], "missing");
    assert_eq!(states["2024-03-12"][7], "no listing covers it");

    // The failed night, its exit code, and the command that says more.
    assert!(
        page.contains("The last run ended with exit code 77"),
        "{}",
        shown(&page)
    );
    let place = format!("--job {}", folder.path().join("quick.toml").display());
    assert!(
        page.contains(&format!("airudder-export doctor {place}")),
        "{}",
        shown(&page)
    );
    assert!(
        page.contains("airudder-export backfill --from 2024-03-"),
        "{}",
        shown(&page)
    );

    // The runs, with what their reports say.
    let reports = fs::read_dir(exporter.dest().join("_export/runs")).expect("reports");
    let mut misfits = BTreeMap::<String, u64>::new();
    let mut requests = 0;
    for report in reports {
        let report = fs::read(report.expect("readable").path()).expect("read");
        let report: Value = serde_json::from_slice(&report).expect("JSON");
        let id = report["run_id"].as_str().expect("an id");
        assert!(
            page.contains(&format!("<th scope=\"row\">{id}</th>")),
            "{id}"
        );
        requests += report["requests"]["by_endpoint"]["task_detail"]["requests"]
            .as_u64()
            .unwrap_or(0);
        for misfit in report["misfits"].as_array().expect("a list") {
            let key = misfit["key"].as_str().expect("text").to_owned();
            *misfits.entry(key).or_default() += misfit["count"].as_u64().expect("a number");
        }
    }
    assert_eq!(
        table(&page, "requests-endpoints")["task_detail"][0],
        count(requests)
    );
    let (_, drift) = page.split_once("id=\"drift\"").expect("a heading");
    for (key, times) in misfits {
        let row = drift
            .split("<tr>")
            .find(|row| row.contains(&format!(">{key}<")));
        let row = row.unwrap_or_else(|| panic!("{key} is missing"));
        assert!(
            row.contains(&format!("<td class=\"r\">{}</td>", count(times))),
            "{row}"
        );
    }

    // On standard output: the same bytes.
    let said = exporter.run(&["report", "--html", "-"]).done().stdout;
    assert!(said == page, "{} bytes and {}", said.len(), page.len());
    let left: Vec<_> = fs::read_dir(folder.path()).expect("read").collect();
    assert!(left.iter().all(|file| {
        let name = file.as_ref().expect("readable").file_name();
        !name.to_string_lossy().contains(".tmp")
    }));

    // Fewer runs and days, and it says so.
    let few = exporter
        .run(&["report", "--html", "-", "--runs", "1", "--days", "2"])
        .done()
        .stdout;
    assert!(few.contains("The newest 1 run;"), "{}", shown(&few));
    assert!(
        few.contains("earlier days not shown; --days shows more."),
        "{}",
        shown(&few)
    );
    assert!(
        !few.contains("<th scope=\"row\">2024-03-11</th>"),
        "{}",
        shown(&few)
    );
}

#[test]
#[ignore = "needs object stores from PyPI: just test-all"]
fn a_lake_in_an_object_store_has_the_same_page() {
    for kind in [Kind::SeaweedFs, Kind::Moto] {
        let server = match Server::of(kind) {
            Ok(server) => server,
            Err(why) => return skip(&why),
        };
        let folder = folder();
        let vendor = Vendor::start(SandboxOptions {
            clock: clock(NIGHT),
            ..past_days(4, 6, 40)
        });
        let bucket = Bucket::new(server, &format!("page-{:016x}", fastrand::u64(..)));
        let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NIGHT);
        let exporter = bucket.exporter(&exporter);
        for day in ["2024-03-11", "2024-03-13"] {
            exporter
                .run(&["backfill", "--from", day, "--to", day])
                .done();
        }
        let objects = bucket.list("");
        // It reads only, and asks for nothing of the API.
        let page = page_of(
            &exporter.clone().set("AIRUDDER_APP_SECRET", ""),
            folder.path(),
        );
        assert_eq!(bucket.list(""), objects, "{kind:?}");
        let days = bucket.list("_export/days").into_iter().map(|path| {
            let bytes = bucket.get(&path).expect("it was listed");
            let day: Value = serde_json::from_slice(&bytes).expect("JSON");
            (day["date"].as_str().expect("a date").to_owned(), day)
        });
        let states = table(&page, "days-table");
        assert_figures(
            &table(&page, "rows"),
            &states,
            &table(&page, "rejects-days"),
            &days.collect(),
        );
        assert_eq!(states["2024-03-12"][0], "missing", "{kind:?}");
        let runs = bucket.list("_export/runs");
        assert_eq!(runs.len(), 2, "{runs:?}");
        for run in runs {
            let (_, name) = run.rsplit_once('/').expect("a path");
            let id = name.trim_end_matches(".json");
            let cell = format!("<th scope=\"row\">{id}</th>");
            assert!(page.contains(&cell), "{kind:?}: {id}");
        }
        assert!(page.contains(&bucket.dest()), "{kind:?}");
    }
}

#[test]
fn no_value_is_in_it() {
    let folder = folder();
    let (_vendor, exporter) = odd_lake(folder.path());
    let page = shown(&page_of(&exporter, folder.path()));
    let lake = LakeView::new(exporter.dest());
    let mut values = BTreeSet::new();
    let ids = ["task_id", "_run_id", "robot_id", "workflow_id", "status"];
    for name in TABLES {
        for row in lake.table(name) {
            let texts = row
                .0
                .iter()
                .filter(|(column, _)| !ids.contains(&column.as_str()));
            let texts = texts.filter_map(|(_, cell)| cell.text());
            values.extend(texts.filter(|text| text.len() > 5).map(str::to_owned));
        }
    }
    assert!(values.len() > 100, "{} values", values.len());
    // Names of the program's own words that are values, too.
    let ours = ["finished", "normal", "rejected", "AIRUDDER"];
    for value in values {
        assert!(ours.contains(&&*value) || !page.contains(&value), "{value}");
    }
}

#[test]
fn hostile_keys_do_nothing_and_are_not_shown() {
    let folder = folder();
    let keys = [
        "<script>alert(1)</script>",
        "</script><script>alert(1)</script>",
        "\u{202e}evil",
        "+6281234567890",
        "Budi Santoso",
        "a6281234567890",
    ];
    let entry: serde_json::Map<String, Value> = keys
        .iter()
        .map(|key| ((*key).to_owned(), json!(7)))
        .collect();
    let detail = json!([entry, {"PlainNewKey": 1}]).to_string();
    let server = Scripted::account(vec![("t", Reply::ok(answer("t", &detail)))]);
    let exporter = Exporter::new(folder.path()).against(server.url()).at(NOW);
    exporter.run(&["run"]).done();
    let whole = page_of(&exporter, folder.path());
    let page = shown(&whole);
    for text in [
        "alert(1)",
        "\u{202e}",
        "evil",
        "6281234567890",
        "Budi",
        "<script>alert",
    ] {
        assert!(!page.contains(text), "{text}");
    }
    assert!(
        page.contains("PlainNewKey") && page.contains("(keys that look like data)"),
        "{page}"
    );
    // One element of data and two scripts, or none of them.
    assert!([0, 3].contains(&whole.matches("<script").count()));
}

#[test]
fn what_keeps_it_from_being_written_is_said() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    exporter
        .run(&["report", "--html", "page.html"])
        .with(74)
        .saying(&["there is no such folder"]);
    fs::create_dir(exporter.dest()).expect("new");
    exporter.run(&["report"]).with(64).saying(&["--html"]);
    let absent = folder.path().join("absent/page.html");
    let absent = absent.to_str().expect("Unicode");
    exporter
        .run(&["report", "--html", absent])
        .with(74)
        .saying(&["failed to write", absent]);
    let page = exporter.run(&["report", "--html", "-"]).done().stdout;
    assert!(page.contains("No day yet."));
}

/// What a headless Chromium finds in a page; see `harness/page.cjs`. `PAGE_SHOTS` names a folder for
/// pictures of it.
#[expect(
    clippy::disallowed_methods,
    reason = "a tool is found as a shell finds it"
)]
fn in_a_browser(page: &Path) -> Option<Value> {
    let browsers = ["chromium-headless-shell", "chromium", "chromium-browser"];
    let browser = browsers.iter().find_map(|name| {
        let paths = std::env::var_os("PATH")?;
        let mut paths = std::env::split_paths(&paths).map(|folder| folder.join(name));
        paths.find(|path| path.exists())
    });
    let Some(browser) = browser else {
        skip("there is no Chromium: apt-get install chromium-headless-shell");
        return None;
    };
    let programs = match packages::node("page-node", &["playwright-core@1.65.1", "axe-core@4.14.1"])
    {
        Ok(programs) => programs,
        Err(why) => {
            skip(&why);
            return None;
        }
    };
    let ask = json!({"chromium": browser, "page": page, "shots": std::env::var("PAGE_SHOTS").ok()});
    let mut child = Command::new("node")
        .arg(crate::harness::project("tests/it/harness/page.cjs"))
        .env("NODE_PATH", programs.parent().expect("node_modules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("npm comes with node");
    let mut stdin = child.stdin.take().expect("piped");
    stdin
        .write_all(ask.to_string().as_bytes())
        .expect("it listens");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the script failed");
    Some(serde_json::from_slice(&output.stdout).expect("it prints JSON"))
}

/// A table as the browser shows it, by the first cell of its rows.
fn rows_in(tables: &Value, id: &str) -> BTreeMap<String, Vec<String>> {
    let rows: Vec<Vec<String>> = serde_json::from_value(tables[id].clone()).expect("rows of texts");
    let rows = rows.into_iter().map(|mut row| (row.remove(0), row));
    rows.collect()
}

#[test]
#[ignore = "needs Chromium from Debian and npm: just test-all"]
fn a_browser_shows_the_figures_and_asks_for_nothing() {
    let folder = folder();
    let (_vendor, exporter) = odd_lake(folder.path());
    page_of(&exporter, folder.path());
    let path = folder.path().join("page.html");
    let Some(found) = in_a_browser(&path) else {
        return;
    };
    assert_eq!(found["console"], json!([]), "the console is silent");
    let address = format!("file://{}", path.display());
    let requests = found["requests"].as_array().expect("a list");
    assert!(
        requests.iter().all(|request| *request == *address),
        "{requests:?}"
    );
    assert_eq!(
        found["violations"],
        json!([]),
        "axe-core has nothing to say"
    );
    assert_eq!(
        found["overflow"],
        json!([]),
        "no page is wider than its screen"
    );
    assert_eq!(found["keyboard"]["wanted"], found["keyboard"]["reached"]);
    assert_eq!(found["cut"], 0, "nothing is cut off in print");
    assert!(found["pages"].as_u64().is_some_and(|pages| pages > 0));
    assert_ne!(found["colours"][0], found["colours"][1], "dark is dark");
    // All charts are drawn, and without JavaScript none is there, but every figure is.
    let charts = found["charts"].as_array().expect("a list");
    assert!(
        charts.len() == 5 && charts.iter().all(|chart| chart[1].as_u64() > Some(5)),
        "{charts:?}"
    );
    assert_eq!(found["hidden"], true);
    assert_eq!(found["without"]["tables"], found["tables"]);
    assert_eq!(found["without"]["calendar"], found["calendar"]);

    let tables = &found["tables"];
    let (rows, states) = (rows_in(tables, "rows"), rows_in(tables, "days-table"));
    let unfit = rows_in(tables, "rejects-days");
    assert_figures(&rows, &states, &unfit, &day_files(&exporter.dest()));
    for (chart, figure) in [("chart-rows", "rows"), ("chart-bytes", "bytes")] {
        let files = day_files(&exporter.dest());
        let tooltips: Vec<Vec<String>> =
            serde_json::from_value(found["tooltips"][chart].clone()).expect("texts");
        assert_eq!(tooltips.len(), states.len() - 2, "{tooltips:?}");
        for said in tooltips {
            let mut wanted = vec![said[0].clone()];
            for table in TABLES {
                let day = files.get(&said[0]);
                let number = day
                    .and_then(|day| day["tables"][table][figure].as_u64())
                    .unwrap_or(0);
                let number = if figure == "rows" {
                    count(number)
                } else {
                    bytes(number)
                };
                wanted.extend([table.to_owned(), number]);
            }
            assert_eq!(said, wanted, "{chart}");
        }
    }
}
