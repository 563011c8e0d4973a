//! A run of changes that ends anywhere, as if its process were killed, and is begun again: each action is done once, none is
//! forgotten, and service, journal and receipts agree.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use secrecy::SecretString;
use serde_json::{Value, json};
use sharewarden::enforce::{Entry, Journal, JournalError, KnownShare, Outcome};
use sharewarden::model::{Share, SourceFacts, SourceName};
use sharewarden::plan::{ActionKind, Plan};
use sharewarden::provider::{ChangeEffect, Found, Lost, Opened, Place, Target, WriteError, Writer};
use sharewarden::store::Ledger;
use tokio::sync::Notify;

use super::{Scene, Service, Write, differences, is_applied, outcomes};
use crate::harness::block_on;

/// What is done about what the small worlds hold: several of each kind.
const NEXTCLOUD: &str = "
[enforce]
max_changes_percent = 100
[[enforce.rule]]
rule = \"link-without-expiry\"
action = \"set-expiry\"
after = \"30d\"
[[enforce.rule]]
rule = \"classified-item-exposed\"
action = \"revoke\"
[[enforce.rule]]
rule = \"external-recipient\"
action = \"revoke\"
[[enforce.rule]]
rule = \"guest-recipient\"
action = \"revoke\"
";
const MICROSOFT: &str = "
[enforce]
max_changes_percent = 100
[[enforce.rule]]
rule = \"link-without-expiry\"
action = \"set-expiry\"
after = \"30d\"
[[enforce.rule]]
rule = \"organization-wide-link\"
action = \"revoke\"
[[enforce.rule]]
rule = \"guest-recipient\"
action = \"revoke\"
collateral = true
";

/// Counts what is done, and is dead from some step on.
struct Steps {
    taken: AtomicUsize,
    last: usize,
    /// Whether it dies, too, where an answer was lost.
    frail: bool,
    dead: AtomicBool,
    died: Notify,
}

impl Steps {
    fn up_to(last: usize, frail: bool) -> Arc<Self> {
        Arc::new(Self {
            taken: AtomicUsize::new(0),
            last,
            frail,
            dead: AtomicBool::new(false),
            died: Notify::new(),
        })
    }

    fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.died.notify_one();
    }

    fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Takes a step; whether it is alive afterwards.
    fn take(&self) -> bool {
        if !self.is_dead() && self.taken.fetch_add(1, Ordering::SeqCst) == self.last {
            self.die();
        }
        !self.is_dead()
    }

    /// Takes a step of something that waits: one who is dead waits for ever.
    async fn pass(&self) {
        if !self.take() {
            std::future::pending::<()>().await;
        }
    }

    /// A question to the service: a step before it is sent.
    async fn ask<T>(&self, call: BoxFuture<'_, Result<T, WriteError>>) -> Result<T, WriteError> {
        self.pass().await;
        call.await
    }

    /// A change: a step before it is sent, and one before its answer is taken.
    async fn change<T>(&self, call: BoxFuture<'_, Result<T, WriteError>>) -> Result<T, WriteError> {
        self.pass().await;
        let answer = call.await;
        let is_lost = matches!(&answer, Err(error) if error.effect == ChangeEffect::Unknown);
        if self.frail && is_lost {
            self.die();
        }
        self.pass().await;
        answer
    }
}

/// A journal that may die before or after a line is kept.
struct Mortal<'l> {
    ledger: &'l mut Ledger,
    steps: Arc<Steps>,
}

impl Mortal<'_> {
    fn step(&self) -> Result<(), JournalError> {
        if self.steps.take() {
            Ok(())
        } else {
            Err(JournalError("dead".into()))
        }
    }
}

impl Journal for Mortal<'_> {
    fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.step()?;
        self.ledger.append(entry)?;
        self.step()
    }

    fn of_action(&self, action: &str) -> Result<Vec<Entry>, JournalError> {
        self.ledger.of_action(action)
    }

    fn of_run(&self, run: &str) -> Result<Vec<Entry>, JournalError> {
        self.ledger.of_run(run)
    }

    fn unsettled(&self, source: &SourceName) -> Result<Vec<Entry>, JournalError> {
        self.ledger.unsettled(source)
    }

    fn fill(&self, share: &mut Share) -> Result<(), JournalError> {
        self.ledger.fill(share)
    }

    fn known(&self, source: &SourceName, share: &str) -> Result<Option<KnownShare>, JournalError> {
        self.ledger.known(source, share)
    }
}

/// A writer that may die before a call is sent, or before its answer is taken.
struct Doomed {
    inner: Box<dyn Writer>,
    steps: Arc<Steps>,
}

impl Writer for Doomed {
    fn open(&self) -> BoxFuture<'_, Result<Opened, WriteError>> {
        self.steps.ask(self.inner.open()).boxed()
    }

    fn may_act_as<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<(), WriteError>> {
        self.steps.ask(self.inner.may_act_as(account)).boxed()
    }

    fn read<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Found, WriteError>> {
        self.steps.ask(self.inner.read(target)).boxed()
    }

    fn read_all<'a>(
        &'a self,
        item: &'a Place,
        act_as: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Share>, WriteError>> {
        self.steps.ask(self.inner.read_all(item, act_as)).boxed()
    }

    fn read_links_beneath<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Vec<Share>, WriteError>> {
        self.steps.ask(self.inner.read_links_beneath(target)).boxed()
    }

    fn turn(&self) -> BoxFuture<'_, Result<(), WriteError>> {
        self.inner.turn()
    }

    fn unrestorable(&self, value: Option<&str>) -> Option<&'static str> {
        self.inner.unrestorable(value)
    }

    fn sets_passwords(&self) -> bool {
        self.inner.sets_passwords()
    }

    fn set_expiry<'a>(
        &'a self,
        target: &'a Target,
        value: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), WriteError>> {
        self.steps.change(self.inner.set_expiry(target, value)).boxed()
    }

    fn revoke<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), WriteError>> {
        self.steps.change(self.inner.revoke(target)).boxed()
    }

    fn irrecoverable(&self, facts: &SourceFacts, lost: &Lost) -> Option<&'static str> {
        self.inner.irrecoverable(facts, lost)
    }

    fn recreate<'a>(
        &'a self,
        lost: &'a Lost,
        password: Option<&'a SecretString>,
    ) -> BoxFuture<'a, Result<String, WriteError>> {
        self.steps.change(self.inner.recreate(lost, password)).boxed()
    }

    fn set_password<'a>(
        &'a self,
        target: &'a Target,
        password: &'a SecretString,
    ) -> BoxFuture<'a, Result<(), WriteError>> {
        self.steps
            .change(self.inner.set_password(target, password))
            .boxed()
    }
}

/// What is done again and again.
#[derive(Clone, Copy, Debug)]
enum Doing {
    Apply,
    Undo,
}

/// A state in which a plan is recorded, and what an undisturbed run of it, and its undoing, come to.
struct Rehearsed {
    service: Service,
    world: Value,
    state: PathBuf,
    _folder: tempfile::TempDir,
    plan: Plan,
    /// What is stored before, after it, and after its undoing.
    stored: [BTreeMap<String, Value>; 3],
    writes: Vec<Write>,
    undoing_writes: Vec<Write>,
}

impl Rehearsed {
    fn enforce(service: Service) -> &'static str {
        match service {
            Service::Nextcloud => NEXTCLOUD,
            Service::Microsoft => MICROSOFT,
        }
    }

    /// Of all that is proposed the plan holds what concerns shares whose ids end so, after a slash or whole.
    fn of(service: Service, world: Value, shares: &[&str]) -> Self {
        let scene = Scene::of(service, &world, Self::enforce(service));
        scene.scan();
        let mut actions = scene.proposed().actions;
        actions.retain(|action| shares.contains(&action.share.rsplit('/').next().unwrap()));
        let plan = scene.record(actions);
        assert_eq!(plan.actions.len(), shares.len(), "{:#?}", plan.actions);
        for kind in [ActionKind::SetExpiry, ActionKind::Revoke] {
            let of_kind = plan.actions.iter().filter(|action| action.action == kind).count();
            assert!(of_kind >= 2, "{kind}: {:#?}", plan.actions);
        }
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.db");
        std::fs::copy(scene.stage.path("state.db"), &state).unwrap();
        let before = scene.stored();
        let done = scene.apply(&plan, "first");
        assert!(
            outcomes(&done)
                .values()
                .all(|outcome| *outcome == Some(Outcome::Applied)),
            "{done:#?}"
        );
        let (writes, after) = (scene.writes(), scene.stored());
        assert_eq!(
            writes.len(),
            plan.actions.len(),
            "one change for each action: {writes:#?}"
        );
        scene.check_journal(&plan);
        scene.undo("first", "second");
        let undoing_writes = scene.writes().split_off(writes.len());
        Self {
            service,
            world,
            state,
            _folder: folder,
            plan,
            stored: [before, after, scene.stored()],
            writes,
            undoing_writes,
        }
    }

    /// The same service and state again, before anything was changed.
    fn again(&self) -> Scene {
        let scene = Scene::of(self.service, &self.world, Self::enforce(self.service));
        std::fs::copy(&self.state, scene.stage.path("state.db")).unwrap();
        scene
    }

    /// Begins something, and dies at a step, if it is come to; how many steps there were.
    fn die(&self, scene: &Scene, doing: Doing, run: &str, steps: &Arc<Steps>) -> usize {
        let mut ledger = scene.ledger();
        let mut journal = Mortal {
            ledger: &mut ledger,
            steps: Arc::clone(steps),
        };
        let writer = Box::new(Doomed {
            inner: scene.writer(),
            steps: Arc::clone(steps),
        });
        block_on(async {
            let mut shown = BTreeMap::new();
            let work = async {
                match doing {
                    Doing::Apply => scene.apply_with(&mut journal, writer, &self.plan, run).await,
                    Doing::Undo => {
                        scene
                            .undo_with(&mut journal, writer, "first", run, &mut shown)
                            .await
                    }
                }
            };
            tokio::select! {
                biased;
                () = steps.died.notified() => {}
                done = work => assert!(done.is_ok() || steps.is_dead(), "{done:?}"),
            }
        });
        steps.taken.load(Ordering::SeqCst)
    }

    /// Insists that everything was applied once, whatever happened before, and that nothing happens any more.
    fn check_applied(&self, scene: &Scene, what: &str) {
        let done = scene.apply(&self.plan, "last");
        for receipt in &done.receipts {
            let good = matches!(receipt.outcome, Some(Outcome::Applied | Outcome::AlreadyDone));
            assert!(good, "{what}: {receipt:#?}");
        }
        assert_eq!(done.receipts.len(), self.plan.actions.len(), "{what}");
        let mut accepted = scene.writes();
        accepted.retain(Write::is_done);
        alike(&accepted, &self.writes, what);
        assert_eq!(
            differences(&self.stored[1], &scene.stored()),
            BTreeMap::new(),
            "{what}"
        );
        scene.check_journal(&self.plan);
        let lines = scene.lines(&self.plan);
        for action in &self.plan.actions {
            let of_it = lines
                .iter()
                .filter(|line| line.action.as_ref() == Some(&action.id));
            assert_eq!(
                of_it.filter(|line| is_applied(line)).count(),
                1,
                "{what}: {action:?}"
            );
        }
        let sent = scene.writes().len();
        let again = scene.apply(&self.plan, "once-more");
        for receipt in &again.receipts {
            assert_eq!(
                receipt.outcome,
                Some(Outcome::AlreadyDone),
                "{what}: {receipt:#?}"
            );
        }
        assert_eq!(scene.writes().len(), sent, "{what}");
    }

    /// Insists that everything was taken back once, and that nothing happens any more.
    fn check_undone(&self, scene: &Scene, what: &str) {
        scene.undo("first", "last");
        assert_eq!(essences(scene), essences_of(&self.stored[2]), "{what}");
        scene.check_journal(&self.plan);
        let (sent, stored) = (scene.writes().len(), scene.stored());
        scene.undo("first", "once-more");
        assert_eq!(scene.writes().len(), sent, "{what}");
        assert_eq!(differences(&stored, &scene.stored()), BTreeMap::new(), "{what}");
        // What was taken back is not done once more by the plan.
        let again = scene.apply(&self.plan, "after");
        assert!(
            outcomes(&again)
                .values()
                .all(|outcome| matches!(outcome, Some(Outcome::Drifted | Outcome::AlreadyDone))),
            "{what}: {again:#?}"
        );
        assert_eq!(differences(&stored, &scene.stored()), BTreeMap::new(), "{what}");
    }
}

/// The same changes, and what each was answered does not matter.
fn alike(these: &[Write], those: &[Write], what: &str) {
    let of = |writes: &[Write]| {
        let mut of: Vec<_> = writes
            .iter()
            .map(|one| (one.method.clone(), one.path.clone()))
            .collect();
        of.sort();
        of
    };
    assert_eq!(of(these), of(those), "{what}");
}

fn essences(scene: &Scene) -> Vec<String> {
    essences_of(&scene.stored())
}

/// What is stored of each share, but for what one that was made again has of its own.
fn essences_of(stored: &BTreeMap<String, Value>) -> Vec<String> {
    let mut all: Vec<String> = stored
        .values()
        .map(|row| {
            let mut row = row.clone();
            for own in ["id", "token", "created", "created_at", "password"] {
                if let Some(value) = row.get_mut(own) {
                    *value = if own == "password" {
                        json!(!value.is_null())
                    } else {
                        Value::Null
                    };
                }
            }
            row.to_string()
        })
        .collect();
    all.sort();
    all
}

/// Kills a run at every step of its own and of the service's, then begins it again, killed once more now and then.
fn survives(rehearsed: &Rehearsed, doing: Doing) {
    let ready = |what: &Doing| {
        let scene = rehearsed.again();
        if matches!(what, Doing::Undo) {
            scene.apply(&rehearsed.plan, "first");
        }
        scene
    };
    let check = |scene: &Scene, what: &str| match doing {
        Doing::Apply => rehearsed.check_applied(scene, what),
        Doing::Undo => rehearsed.check_undone(scene, what),
    };
    let all = rehearsed.die(&ready(&doing), doing, "whole", &Steps::up_to(usize::MAX, false));
    assert!(all >= 20, "only {all} steps");
    let mut random = fastrand::Rng::with_seed(11);
    for last in 0..all {
        let scene = ready(&doing);
        let steps = Steps::up_to(last, false);
        rehearsed.die(&scene, doing, "killed", &steps);
        assert!(steps.is_dead(), "step {last} of {all}");
        if last % 3 == 0 {
            let steps = Steps::up_to(random.usize(..all), false);
            rehearsed.die(&scene, doing, "killed-again", &steps);
        }
        check(&scene, &format!("{doing:?}, killed at step {last} of {all}"));
    }
    // The answer to each change in turn is lost, and whoever waits for it is killed or lives.
    let changes = match doing {
        Doing::Apply => &rehearsed.writes,
        Doing::Undo => &rehearsed.undoing_writes,
    };
    for method in ["PUT", "PATCH", "POST", "DELETE"] {
        let of_it = changes.iter().filter(|write| write.method == method).count();
        for nth in 0..of_it {
            for frail in [true, false] {
                let scene = ready(&doing);
                let changing = match rehearsed.service {
                    Service::Nextcloud => "/shares",
                    Service::Microsoft if method == "POST" => "createLink",
                    Service::Microsoft => "/permissions/",
                };
                scene.stage.fault(
                    &json!({"match": {"method": method, "path_contains": changing}, "after": nth,
                    "times": 1, "action": {"do": "reset"}}),
                );
                rehearsed.die(&scene, doing, "lost", &Steps::up_to(usize::MAX, frail));
                check(
                    &scene,
                    &format!("{doing:?}, the answer to {method} {nth} lost, killed: {frail}"),
                );
            }
        }
    }
}

fn nextcloud() -> Rehearsed {
    Rehearsed::of(
        Service::Nextcloud,
        Service::Nextcloud.world(),
        &["1", "7", "2", "11"],
    )
}

fn microsoft() -> Rehearsed {
    let shares = [
        "11111111-0000-4000-8000-000000000001",
        "11111111-0000-4000-8000-000000000007",
        "11111111-0000-4000-8000-000000000008",
        "aTowIy5mfG1lbWJlcnNoaXB8Z2luYV9wYXJ0bmVyLmV4YW1wbGUubmV0I2V4dCNAZXhhbXBsZS5vbm1pY3Jvc29mdC5jb20",
    ];
    Rehearsed::of(Service::Microsoft, Service::Microsoft.world(), &shares)
}

#[test]
fn a_plan_for_a_nextcloud_is_carried_out_once_wherever_it_was_killed() {
    survives(&nextcloud(), Doing::Apply);
}

#[test]
fn a_plan_for_a_tenant_is_carried_out_once_wherever_it_was_killed() {
    survives(&microsoft(), Doing::Apply);
}

#[test]
fn what_was_done_to_a_nextcloud_is_taken_back_once_wherever_it_was_killed() {
    survives(&nextcloud(), Doing::Undo);
}

#[test]
fn what_was_done_to_a_tenant_is_taken_back_once_wherever_it_was_killed() {
    survives(&microsoft(), Doing::Undo);
}
