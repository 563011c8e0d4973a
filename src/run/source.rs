//! Reads one source into the ledger: settings, accounts, shares, then the further facts that judging needs.
//!
//! Whatever fails is kept as a problem and the reading goes on where it can; nothing is held but one page.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Desk, Progress, ScanError, Step};
use crate::model::{
    Batch, KnownScope, Principal, PrincipalClass, Problem, ProblemCode, Relist, Share, ShareKind,
    SourceFacts, SourceKind, SourceName, Want,
};
use crate::policy::{self, Judge, Past, Policy};
use crate::provider::{Listed, Pace, ReadError, Reader, Sink};
use crate::store::{Place, Run, ScopeRow, StoreError};

/// How many shares are taken from the ledger at once.
const PAGE: usize = 500;
/// How many scopes may fail one after the other before the source is given up.
const PATIENCE: u32 = 20;
/// How many readings are enough to be written together.
const TOGETHER: usize = 512;
/// How long readings wait for others to be written with.
const MOMENT: Duration = Duration::from_millis(200);
/// How many items of one account are looked up together.
const WANTS: usize = 20_000;
/// How many accounts a scan of a few accounts asks the details of.
const LOOK_UPS: usize = 50;
/// How many groups a scan asks the members of.
const GROUPS: usize = 5_000;
/// Of how many accounts a scan asks who the manager is.
const MANAGED: usize = 5_000;
const SECONDS_A_DAY: i64 = 24 * 60 * 60;

/// A source with its reader, as a run uses it.
pub struct Part {
    /// The source's name.
    pub name: SourceName,
    /// Its kind.
    pub kind: SourceKind,
    /// What reads it.
    pub reader: Box<dyn Reader>,
    /// How many scopes are read at the same time.
    pub in_flight: usize,
    /// How long reading may take.
    pub stop_after: Duration,
    /// How long a share that was not read again still counts as checked.
    pub relist_every: SignedDuration,
    /// Whether what earlier runs remember of a scope counts; else it is read anew.
    pub remembers: bool,
    /// Of which owners it matters who their manager is.
    pub managed: Option<Managed>,
    /// How far reading it has come.
    pub progress: Progress,
}

/// Says of an owner whether it matters who their manager is.
pub type Managed = Arc<dyn Fn(&Principal) -> bool + Send + Sync>;

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What reading a source came to, beside what lies in the ledger.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) facts: Option<SourceFacts>,
    pub(super) before: Option<BTreeMap<ShareKind, u64>>,
    pub(super) after: Option<BTreeMap<ShareKind, u64>>,
    /// Whether it is left to another scan, which reads it at the same time: what is known of it is that one's to judge.
    pub(super) is_left: bool,
}

/// Reads a source; the outcome of every scope and every problem is in the ledger afterwards.
pub(super) struct SourceRun<'a> {
    pub(super) desk: &'a Desk,
    pub(super) run: &'a Run,
    pub(super) part: &'a Part,
    pub(super) policy: &'a Arc<Policy>,
    pub(super) cancel: &'a CancellationToken,
}

impl SourceRun<'_> {
    pub(super) async fn read(&self) -> Result<Reading, ScanError> {
        let deadline = Instant::now() + self.part.stop_after;
        let mut reading = Reading::default();
        let whole = self.run.scope.users.is_empty();
        let progress = &self.part.progress;
        progress.begin(Step::Opening);
        let facts = match self.part.reader.open().await {
            Ok(facts) => facts,
            Err(error) => {
                self.trouble("*", &error).await?;
                reading.is_left = error.is_of(ProblemCode::BeingScanned);
                return Ok(reading);
            }
        };
        tracing::info!(product = facts.product.as_deref(), "opened");
        reading.facts = Some(facts);
        progress.begin(Step::Listing);
        let users = self.run.scope.users.clone();
        let before = async { if whole { self.control().await } else { Ok(None) } };
        let discovered = self.sinking(async |sink| self.part.reader.discover(&users, &sink).await);
        let (before, discovered) = futures::join!(before, discovered);
        reading.before = before?;
        // Whether it was told already that the time is over.
        let mut is_late = false;
        let listed = match discovered? {
            Ok(listed) => listed,
            Err(error) => {
                self.trouble("*", &error).await?;
                is_late = error.is_of(ProblemCode::TimeLimit);
                Listed::default()
            }
        };
        let stopped = self
            .sinking(async |sink| self.read_scopes(&sink, deadline).await)
            .await??;
        // Whatever ended the reading ends what would be asked after it.
        let asking = stopped.is_none() && !self.cancel.is_cancelled();
        if let Some(problem) = stopped
            && !(is_late && problem.code == ProblemCode::TimeLimit)
        {
            self.tell(problem).await?;
        }
        tracing::info!(
            tried = progress.read(),
            of = progress.scopes(),
            "{} read",
            self.scopes_in_words()
        );
        // After reading, since shares name accounts that the list does not: those that were deleted.
        let (run, source) = (self.run.clone(), self.part.name.clone());
        self.desk
            .ask(move |ledger| {
                if listed.accounts {
                    ledger.mark_gone_accounts(&run, &source)?;
                }
                if listed.scopes {
                    ledger.mark_gone_scopes(&run, &source)?;
                }
                Ok::<_, StoreError>(())
            })
            .await??;
        progress.begin(Step::Asking);
        if whole && asking {
            reading.after = self.control().await?;
        }
        if whole || asking {
            self.learn_people(whole).await?;
        }
        if let Some(facts) = &mut reading.facts {
            let (run, source, mut known) = (self.run.clone(), self.part.name.clone(), facts.clone());
            *facts = self
                .desk
                .ask(move |ledger| {
                    let told = ledger.details_told(&run, &source)?;
                    known.set(crate::model::Fact::AccountDetailsRead, told);
                    ledger.keep_facts(&source, &known)?;
                    Ok::<_, StoreError>(known)
                })
                .await??;
        }
        // What was found of these items before tonight is no knowledge of tonight.
        let (run, source) = (self.run.clone(), self.part.name.clone());
        self.desk
            .ask(move |ledger| ledger.forget_labels(&run, &source))
            .await??;
        if let Some(facts) = &reading.facts
            && asking
        {
            self.enrich(facts, deadline).await?;
            self.witness(facts, deadline).await?;
        }
        Ok(reading)
    }

    /// Runs a reader with a sink whose batches go to the ledger, until both have ended.
    pub(super) async fn sinking<T>(&self, read: impl AsyncFnOnce(Sink) -> T) -> Result<T, ScanError> {
        let (batches, mut waiting) = mpsc::channel::<Batch>(4);
        let keep = async move {
            let kept = async {
                let mut next = gather(&mut waiting).await;
                while let Some(gathered) = next {
                    let run = self.run.clone();
                    let kept = self.desk.ask(move |ledger| ledger.absorb(&run, &gathered));
                    // The next ones are gathered while these are written.
                    let (kept, gathered) = futures::join!(kept, gather(&mut waiting));
                    kept??;
                    next = gathered;
                }
                Ok::<(), ScanError>(())
            }
            .await;
            // Whoever still reads must not wait for a ledger that failed.
            waiting.close();
            kept
        };
        let (result, kept) = futures::join!(read(Sink::new(self.part.name.clone(), batches)), keep);
        kept.map(|()| result)
    }

    async fn control(&self) -> Result<Option<BTreeMap<ShareKind, u64>>, ScanError> {
        match self.part.reader.control().await {
            Ok(counts) => Ok(counts),
            Err(
                ReadError::Service {
                    code: ProblemCode::Interrupted,
                    ..
                }
                | ReadError::Closed(_),
            ) => Ok(None),
            Err(ReadError::Service { message, .. }) => {
                let message = format!(
                    "the service's own counts could not be read, so nothing confirms the scan's: {message}"
                );
                self.tell(Problem::new("*", ProblemCode::ControlUnavailable, message))
                    .await?;
                Ok(None)
            }
        }
    }

    /// Reads every scope that was listed; the problem is why it ended early.
    async fn read_scopes(&self, sink: &Sink, deadline: Instant) -> Result<Option<Problem>, ScanError> {
        let stop = AtomicBool::new(false);
        let failures = AtomicU32::new(0);
        let ended =
            &|now: Instant| stop.load(Ordering::Relaxed) || self.cancel.is_cancelled() || now >= deadline;
        let relisting = self.relisting().await?;
        let scopes = self.scopes().await?;
        let progress = &self.part.progress;
        progress.found(scopes.len());
        tracing::info!(count = scopes.len(), "{} listed", self.scopes_in_words());
        progress.begin(Step::Reading);
        let scopes = stream::iter(scopes);
        let relisting = &relisting;
        let paces = scopes.map(|row| async move {
            if ended(Instant::now()) {
                return Ok(None);
            }
            let mut known = self.recall(row, relisting.of(row)).await?;
            known.changed = relisting.changed.get(&row).cloned().unwrap_or_default();
            let id = known.scope.id.clone();
            let pace = self.part.reader.read(known, sink).await;
            progress.one_read();
            tracing::debug!(scope = %id, ?pace, "read");
            Ok::<_, ScanError>(Some(pace))
        });
        let mut paces = std::pin::pin!(paces.buffer_unordered(self.part.in_flight.max(1)));
        let mut unread = false;
        while let Some(pace) = paces.next().await {
            match pace? {
                None => unread = true,
                Some(Pace::Read) => failures.store(0, Ordering::Relaxed),
                Some(Pace::Failed) => {
                    if failures.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
                Some(Pace::Stop) => {
                    stop.store(true, Ordering::Relaxed);
                    unread = true;
                }
            }
        }
        let problem = |code, message: String| Some(Problem::new("*", code, message));
        if self.cancel.is_cancelled() {
            // The scan as a whole says that it was interrupted.
            Ok(None)
        } else if failures.load(Ordering::Relaxed) >= PATIENCE {
            let words = format!(
                "{PATIENCE} {} failed one after the other, so the others were not tried",
                self.scopes_in_words()
            );
            Ok(problem(ProblemCode::GivenUp, words))
        } else if stop.load(Ordering::Relaxed) {
            let words = format!(
                "the {} after the one that says why were not tried",
                self.scopes_in_words()
            );
            Ok(problem(ProblemCode::GivenUp, words))
        } else if unread || Instant::now() >= deadline {
            Ok(Some(self.out_of_time("")))
        } else {
            Ok(None)
        }
    }

    /// What the source is read by.
    fn scopes_in_words(&self) -> &'static str {
        match self.part.kind {
            SourceKind::Nextcloud => "accounts",
            SourceKind::Microsoft365 => "drives",
        }
    }

    async fn scopes(&self) -> Result<Vec<ScopeRow>, ScanError> {
        let (run, source) = (self.run.clone(), self.part.name.clone());
        Ok(self
            .desk
            .ask(move |ledger| ledger.scopes_to_read(&run, &source))
            .await??)
    }

    /// A scope with what is remembered of it.
    async fn recall(&self, row: ScopeRow, relist: Relist) -> Result<KnownScope, ScanError> {
        let remembers = self.part.remembers;
        Ok(self
            .desk
            .ask(move |ledger| ledger.scope_to_read(row, relist, remembers))
            .await??)
    }

    /// What of each scope is listed again although nothing says that it changed: a part of everything each night, and
    /// what would become too old otherwise. Who asks for one person's shares wants them as they are now.
    async fn relisting(&self) -> Result<Relisting, ScanError> {
        let now = self.run.now;
        if !self.run.scope.users.is_empty() {
            return Ok(Relisting {
                now,
                before: Timestamp::MAX,
                quotas: HashMap::new(),
                whole: HashSet::new(),
                changed: HashMap::new(),
            });
        }
        let every = self.part.relist_every;
        let nights = u64::try_from(every.as_hours() / 24).unwrap_or_default().max(1);
        let night = u64::try_from(now.as_second() / SECONDS_A_DAY).unwrap_or_default();
        let (run, source) = (self.run.clone(), self.part.name.clone());
        let rules = self.policy.rules_in_effect();
        let (quotas, whole, changed, judged_since) = self
            .desk
            .ask(move |ledger| {
                Ok::<_, StoreError>((
                    ledger.relist_quotas(&source, nights, night)?,
                    ledger.scopes_of_changed_owners(&source)?,
                    ledger.changed_items(&source)?,
                    ledger.judged_since(&run, &source, &rules)?,
                ))
            })
            .await??;
        // What comes of age before the next night is listed in this one.
        let slack = (every / 2).min(SignedDuration::from_hours(12));
        let overdue = now.checked_sub(every - slack).unwrap_or(Timestamp::MIN);
        // Of shares without a finding only digests may be kept: other rules can judge them only once they are read again.
        let before = overdue.max(judged_since);
        Ok(Relisting {
            now,
            before,
            quotas,
            whole,
            changed,
        })
    }

    /// What rules ask of people and groups: counted from the account list, or looked up one by one.
    async fn learn_people(&self, whole: bool) -> Result<(), ScanError> {
        let looked_up = self.part.reader.looks_up(whole);
        if whole && !looked_up.contains(&PrincipalClass::Group) {
            let (run, source) = (self.run.clone(), self.part.name.clone());
            self.desk
                .ask(move |ledger| ledger.count_members(&run, &source))
                .await??;
        }
        for class in looked_up {
            self.look_up(*class).await?;
        }
        if let Some(managed) = self.part.managed.clone().filter(|_| whole) {
            let (run, source) = (self.run.clone(), self.part.name.clone());
            let owners = self
                .desk
                .ask(move |ledger| ledger.owners(&run, &source, &*managed, MANAGED));
            let owners = owners.await??;
            if !owners.is_empty() && !self.cancel.is_cancelled() {
                let asked = self.sinking(async |sink| self.part.reader.ask_managers(owners, &sink).await);
                self.learned(asked.await?).await?;
            }
        }
        Ok(())
    }

    async fn look_up(&self, class: PrincipalClass) -> Result<(), ScanError> {
        let most = if class == PrincipalClass::Account {
            LOOK_UPS
        } else {
            GROUPS
        };
        let (run, source) = (self.run.clone(), self.part.name.clone());
        let ids = self
            .desk
            .ask(move |ledger| ledger.untold(&run, &source, class, most))
            .await??;
        if ids.is_empty() || self.cancel.is_cancelled() {
            return Ok(());
        }
        let looked = self
            .sinking(async |sink| self.part.reader.look_up(class, &ids, &sink).await)
            .await?;
        self.learned(looked).await
    }

    /// Keeps why something about people was not told.
    async fn learned(&self, told: Result<(), ReadError>) -> Result<(), ScanError> {
        if let Err(error) = told
            && let Some(problem) = error.problem("*")
        {
            let problem = Problem {
                code: ProblemCode::PeopleUnreadable,
                ..problem
            };
            self.tell(problem).await?;
        }
        Ok(())
    }

    /// Asks for the labels of the items that need them, and for what lies beneath, account by account.
    async fn enrich(&self, facts: &SourceFacts, deadline: Instant) -> Result<(), ScanError> {
        let groups = stream::unfold(Wanting::default(), |mut wanting| async {
            let group = self.wants_of_next_owner(facts, &mut wanting).await.transpose()?;
            wanting.ended |= group.is_err();
            Some((group, wanting))
        });
        let classes = Arc::new(self.policy.classes.clone());
        let late = AtomicBool::new(false);
        let failed = self
            .sinking(async |sink| {
                let (sink, classes, late) = (&sink, &classes, &late);
                let mut looks = std::pin::pin!(
                    groups
                        .map(|group| async move {
                            let (owner, wants) = group?;
                            late.fetch_or(Instant::now() >= deadline, Ordering::Relaxed);
                            if self.cancel.is_cancelled() || late.load(Ordering::Relaxed) {
                                return Ok(Ok(()));
                            }
                            Ok::<_, ScanError>(self.part.reader.enrich(&owner, wants, classes, sink).await)
                        })
                        .buffer_unordered(self.part.in_flight.max(1))
                );
                let mut failed = None;
                while let Some(looked) = looks.next().await {
                    if let Err(error) = looked? {
                        failed = Some(error);
                        break;
                    }
                    if late.load(Ordering::Relaxed) {
                        break;
                    }
                }
                Ok::<_, ScanError>(failed)
            })
            .await??;
        if let Some(error) = failed
            && let Some(problem) = error.problem("*")
        {
            self.tell(problem.clone()).await?;
            let words = format!(
                "the labels of some items could not be looked up: {}",
                problem.message
            );
            self.tell(Problem::new("*", ProblemCode::LabelsUnreadable, words))
                .await?;
        } else if late.into_inner() {
            let problem = self.out_of_time(", before all that is open was looked into");
            // Where nothing classifies, only numbers are missing.
            let classes = &self.policy.classes;
            let code = if classes.has_tags() || classes.has_patterns() {
                problem.code
            } else {
                ProblemCode::NotCounted
            };
            self.tell(Problem { code, ..problem }).await?;
        }
        Ok(())
    }

    /// The wants of the next account that has any; labels that earlier runs found are asked for again, since tags
    /// and folders change.
    async fn wants_of_next_owner(
        &self,
        facts: &SourceFacts,
        wanting: &mut Wanting,
    ) -> Result<Option<(String, Vec<Want>)>, ScanError> {
        let judge = Judge::new(self.policy, facts, self.run.now);
        let mut group = wanting.pending.take().map(|(owner, want)| (owner, vec![want]));
        while !wanting.ended {
            let Some(share) = wanting.page.pop_front() else {
                let (run, source, after) = (self.run.clone(), self.part.name.clone(), wanting.after);
                let classes = self.policy.classes.digest().to_owned();
                let (page, last) = self
                    .desk
                    .ask(move |ledger| ledger.shares_by_owner(&run, &source, &classes, after, PAGE))
                    .await??;
                match last {
                    Some(last) => wanting.after = last,
                    None => wanting.ended = true,
                }
                wanting.page = page.into();
                continue;
            };
            let judged = judge.share(&share, &Past::default());
            if policy::wants(self.policy, &share, &judged) == policy::Need::None || !share.item.path_is_owners
            {
                continue;
            }
            let want = Want {
                scope: share.owner.id,
                item: share.item,
            };
            match &mut group {
                Some((owner, wants)) if *owner == want.scope && wants.len() < WANTS => wants.push(want),
                Some(_) => {
                    wanting.pending = Some((want.scope.clone(), want));
                    return Ok(group);
                }
                None => group = Some((want.scope.clone(), vec![want])),
            }
        }
        Ok(group)
    }

    /// The scan took as long as it may; what was left undone.
    fn out_of_time(&self, undone: &str) -> Problem {
        let words = format!(
            "the scan stopped after {} s, as `limits.stop_after` says{undone}",
            self.part.stop_after.as_secs()
        );
        Problem::new("*", ProblemCode::TimeLimit, words)
    }

    async fn trouble(&self, scope: &str, error: &ReadError) -> Result<(), ScanError> {
        match error.problem(scope) {
            Some(problem) => self.tell(problem).await,
            None => Ok(()),
        }
    }

    pub(super) async fn tell(&self, problem: Problem) -> Result<(), ScanError> {
        tracing::info!(scope = problem.scope, code = %problem.code, "{}", problem.message);
        let (run, source) = (self.run.clone(), self.part.name.clone());
        Ok(self
            .desk
            .ask(move |ledger| ledger.problem(&run, &source, &problem))
            .await??)
    }
}

/// Takes the batches that come within a moment: most accounts have few shares, and a transaction for each would cost
/// more than the shares. `None` when there will be no more.
async fn gather(waiting: &mut mpsc::Receiver<Batch>) -> Option<Vec<Batch>> {
    let first = waiting.recv().await?;
    let until = tokio::time::Instant::now() + MOMENT;
    let mut readings = first.readings.len();
    let mut gathered = vec![first];
    while readings < TOGETHER {
        // Nothing comes in time, or nothing comes any more: the next call tells which.
        let Ok(Some(batch)) = tokio::time::timeout_at(until, waiting.recv()).await else {
            break;
        };
        readings += batch.readings.len();
        gathered.push(batch);
    }
    Some(gathered)
}

/// What of each scope is listed again although nothing says that it changed.
struct Relisting {
    now: Timestamp,
    before: Timestamp,
    quotas: HashMap<ScopeRow, u64>,
    /// Those of which everything is listed again.
    whole: HashSet<ScopeRow>,
    /// The items whose sharing was changed from here.
    changed: HashMap<ScopeRow, Vec<String>>,
}

impl Relisting {
    fn of(&self, scope: ScopeRow) -> Relist {
        Relist {
            now: self.now,
            before: if self.whole.contains(&scope) {
                Timestamp::MAX
            } else {
                self.before
            },
            least: self.quotas.get(&scope).copied().unwrap_or_default(),
        }
    }
}

/// Where going over the shares for what is wanted stands.
#[derive(Default)]
struct Wanting {
    after: Place,
    page: VecDeque<Share>,
    pending: Option<(String, Want)>,
    ended: bool,
}

impl From<StoreError> for ScanError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
