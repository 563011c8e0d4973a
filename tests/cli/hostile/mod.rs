//! Servers that misbehave: whatever one answers, a scan tells what it did not read, an apply changes no more than was
//! announced and its journal is true, and nothing falls over, grows, hangs, or tells another origin a word.
//!
//! The table of `table.rs` is tried out cell by cell, and is the one in `docs/reliability.md`. With
//! `SHAREWARDEN_HOSTILE=words` only the rows whose names have these words are tried.

mod applies;
mod front;
mod scans;
mod table;
mod tls;
mod twists;
mod watch;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;

use url::Url;

use self::front::{Foreign, Front, Rule, Twist};
use self::table::{Column, Comes, Group, Row};
use crate::changes::{Scene, Service};
use crate::harness::Config;

/// How many are tried at the same time: most of them wait for most of the time.
const AT_ONCE: usize = 16;

impl Column {
    fn service(self) -> Service {
        if self.is_nextcloud() {
            Service::Nextcloud
        } else {
            Service::Microsoft
        }
    }
}

/// A service with fronts before it: of a tenant, one before the place of its tokens and one before its Graph.
struct Set {
    scene: Scene,
    graph: Front,
    login: Front,
}

impl Set {
    fn of(scene: Scene) -> Self {
        let port = |url: &Url| url.port().unwrap();
        let (graph, login) = match scene.service {
            Service::Nextcloud => {
                let front = Front::before(port(scene.stage.url()));
                (front.clone(), front)
            }
            Service::Microsoft => {
                let (login, graph) = scene.stage.places();
                (Front::before(port(graph)), Front::before(port(login)))
            }
        };
        Self { scene, graph, login }
    }

    /// Lets the service be reached through its fronts, as a row needs it.
    fn reach(&mut self, row: &Row, column: Column, enforce: &str) {
        let is_secure = |front: &Front| {
            let is_struck = front.port == self.struck(column).port;
            is_struck && matches!(row.twist, Twist::Tls(_) | Twist::Secured(_))
        };
        let base = |front: &Front| {
            let origin = if is_secure(front) {
                "https://localhost"
            } else {
                "http://127.0.0.1"
            };
            Url::parse(&format!("{origin}:{}/", front.port)).unwrap()
        };
        let (graph, login) = (base(&self.graph), base(&self.login));
        let tenant =
            (self.scene.service == Service::Microsoft).then(|| (login, graph.join("v1.0/").unwrap()));
        self.scene.stage.reach(graph, tenant);
        let ca = self.scene.stage.write("ca.pem", tls::authority());
        let pace = match self.scene.service {
            Service::Nextcloud => "requests_per_second = 1000",
            Service::Microsoft => "units_per_minute = 1000000, units_per_day = 1000000",
        };
        let times = if row.hasty { ("3s", "8s") } else { ("10s", "50s") };
        let source = format!(
            "enforce = true\nca_file = {:?}\nlimits = {{ {pace}, idle_timeout = \"{}\", stop_after = \"{}\" }}",
            ca.to_string_lossy(),
            times.0,
            times.1
        );
        let config = Config {
            more: enforce,
            source: &source,
            ..Config::default()
        };
        match self.scene.service {
            Service::Nextcloud => self.scene.stage.configure(&config),
            Service::Microsoft => self.scene.stage.configure_tenant(&config),
        };
    }

    /// Lets the service be reached without TLS.
    fn plainly(&mut self) {
        let base = |front: &Front| Url::parse(&format!("http://127.0.0.1:{}/", front.port)).unwrap();
        let tenant = (self.scene.service == Service::Microsoft)
            .then(|| (base(&self.login), base(&self.graph).join("v1.0/").unwrap()));
        let graph = base(&self.graph);
        self.scene.stage.reach(graph, tenant);
    }

    /// The front that misbehaves.
    fn struck(&self, column: Column) -> &Front {
        if column == Column::SignIn {
            &self.login
        } else {
            &self.graph
        }
    }

    fn misbehave(&self, row: &Row, column: Column) {
        let place = match (row.place, column) {
            (Some(place), _) => place,
            (_, Column::NextcloudChange) if row.read_back => Column::NextcloudLook.place(),
            (_, Column::MicrosoftChange) if row.read_back => Column::MicrosoftLook.place(),
            _ => column.place(),
        };
        self.struck(column).misbehave(Rule {
            place,
            kept_back: row.kept_back,
            twist: row.twist,
        });
    }

    /// Lets everything be right again; an error if nothing was wrong before.
    fn behave(&self, column: Column) {
        let hits = self.struck(column).behave();
        assert!(hits > 0, "it did not come to it");
    }

    /// Insists on what holds for every run of the program.
    fn check(&self, ran: &watch::Watched) {
        ran.check();
        for secret in self.graph.secrets().into_iter().chain(self.login.secrets()) {
            let told = ran.out.contains(&secret) || ran.err.contains(&secret);
            assert!(!told, "it tells a secret: {secret}");
        }
        for secret in ["small-app-secret", "small-client-secret"] {
            assert!(
                !ran.out.contains(secret) && !ran.err.contains(secret),
                "it tells {secret}"
            );
        }
        for asked in self.graph.asked().iter().chain(&self.login.asked()) {
            assert!(!asked.has("cookie"), "a cookie came back: {asked:?}");
        }
        Foreign::listener().is_untouched().unwrap();
    }
}

/// Tries one cell of the table.
fn try_out(row: &Row, column: Column) {
    match (row.comes(column), column.is_scan()) {
        (Comes::Cannot(_), _) => {}
        (_, true) => scans::try_out(row, column),
        (_, false) => applies::try_out(row, column),
    }
}

fn reason(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}

#[test]
fn no_server_gets_anywhere_by_misbehaving() {
    let wanted = std::env::var_os("SHAREWARDEN_HOSTILE").unwrap_or_default();
    let wanted = wanted.to_string_lossy();
    let rows: Vec<Row> = table::groups().into_iter().flat_map(|group| group.rows).collect();
    let rows: Vec<&Row> = rows.iter().filter(|row| row.what.contains(&*wanted)).collect();
    let mut cells: Vec<(&Row, Column)> = rows
        .iter()
        .flat_map(|row| Column::ALL.map(|column| (*row, column)))
        .filter(|(row, column)| !matches!(row.comes(*column), Comes::Cannot(_)))
        .collect();
    // Those that wait for long begin first.
    cells.sort_by_key(|(row, _)| !row.hasty);
    let count = cells.len();
    let waiting = Mutex::new(VecDeque::from(cells));
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((row, column)) = waiting.lock().unwrap().pop_front() else {
                        return;
                    };
                    let tried = catch_unwind(AssertUnwindSafe(|| try_out(row, column)));
                    if let Err(panic) = tried {
                        let told = format!("{} / {column:?}: {}", row.what, reason(&*panic));
                        failed.lock().unwrap().push(told);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "{} of {count} cells:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// What a cell of the document says.
fn cell(comes: Comes) -> String {
    match comes {
        Comes::Told(codes) => {
            let codes: Vec<_> = codes.iter().map(|code| format!("`{code}`")).collect();
            codes.join(" or ")
        }
        Comes::Nothing => "nothing".to_owned(),
        Comes::Receipt(receipt) => format!("`{receipt}`"),
        Comes::Stopped => "stops".to_owned(),
        Comes::Cannot(why) => format!("– ({why})"),
    }
}

/// The table as the document has it.
fn written(groups: &[Group]) -> String {
    let rows: usize = groups.iter().map(|group| group.rows.len()).sum();
    let all = groups.iter().flat_map(|group| &group.rows);
    let cells = all.flat_map(|row| Column::ALL.map(|column| row.comes(column)));
    let tried = cells.filter(|comes| !matches!(comes, Comes::Cannot(_))).count();
    let mut text = format!(
        "{rows} misbehaviours, {tried} of {} cells tried.\n",
        rows * Column::ALL.len()
    );
    for group in groups {
        _ = write!(
            text,
            "\n### {}\n\n| | Nextcloud: scan | Microsoft 365: scan | its sign-in | Nextcloud: share | Nextcloud: change \
             | Microsoft 365: share | Microsoft 365: change |\n|---|---|---|---|---|---|---|---|\n",
            group.name
        );
        for row in &group.rows {
            let cells: Vec<_> = Column::ALL
                .iter()
                .map(|column| cell(row.comes(*column)))
                .collect();
            _ = writeln!(text, "| {} | {} |", row.what, cells.join(" | "));
        }
    }
    text
}

#[test]
fn the_document_has_the_table_that_is_tried() {
    const BEGIN: &str = "<!-- hostile servers: begin -->\n";
    const END: &str = "<!-- hostile servers: end -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}{}{END}{after}", written(&table::groups()));
    if document == wanted {
        return;
    }
    let command = "SHAREWARDEN_WRITE_DOCS=1 cargo test --test cli hostile::the_document";
    assert!(
        std::env::var_os("SHAREWARDEN_WRITE_DOCS").is_some(),
        "docs/reliability.md has another table; write it by: {command}"
    );
    std::fs::write(&path, wanted).unwrap();
}
