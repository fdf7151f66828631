//! Committing to a table that others may commit to as well. A commit is a manifest of the next number, put on condition
//! that there is none: of two who try, one wins. The other reads what came in between and makes its change again on
//! top of it, with the next number, until it gets through. Its segment is written once and listed by whichever manifest
//! wins; its log keeps the records until then.
//!
//! Two things make that safe. A writer's own entry in the manifest tells it whether a commit whose answer it never got
//! went through: then its entry is there. And numbers are given back by cleaning, so a writer that slept could put a
//! manifest long behind the newest and believe it counted: on a shared table it looks for newer ones afterwards, and
//! only its entry in the newest counts.

use super::history::{self, Found};
use super::manifest::{Progress, path_of};
use super::objects::Objects;
use super::version::{Change, Prepared, Version};
use super::writer::random;
use crate::Error;
use object_store::{Error as ObjectError, PutMode};

/// How often one commit is made again on top of what others committed, before it is left for later.
const REBASES_MAX: usize = 32;

/// One writer's view of the commits.
#[derive(Debug)]
pub(crate) struct Commits {
    objects: Objects,
    writer: String,
    session: u64,
    /// The newest version that is known.
    version: Version,
    /// The highest number that was ever seen.
    last: u64,
    /// False when a damaged manifest was passed over.
    newest: bool,
    /// A change whose commit failed: whether it went through is not known until it is tried again.
    undecided: Option<Undecided>,
    /// Times a commit had to be made again.
    rebases: u64,
}

#[derive(Debug)]
struct Undecided {
    change: Change,
    version: Version,
    prepared: Prepared,
}

/// What became of one attempt.
enum Attempt {
    Committed(Version),
    /// The number is taken, and this is what came in between.
    Overtaken(Found),
}

impl Commits {
    /// Reads the newest manifest. On a shared table, checks that the store can be relied upon and takes over from
    /// whatever process used this writer's name before: what is still on its way from there does not count any more.
    ///
    /// # Errors
    /// When no manifest can be read, or the store does not honour conditional writes.
    pub(crate) async fn open(objects: Objects, writer: String) -> Result<Self, Error> {
        let session = random();
        if objects.shared() {
            objects
                .check_conditional_put(&format!("{writer}-{session:016x}"))
                .await?;
        }
        let found = history::newest(&objects, &writer, &Version::default()).await?;
        let mut commits = Self {
            objects,
            writer,
            session,
            version: found.version,
            last: found.last,
            newest: found.newest,
            undecided: None,
            rebases: 0,
        };
        commits.take_over().await?;
        Ok(commits)
    }

    async fn take_over(&mut self) -> Result<(), Error> {
        if !self.objects.shared() {
            return Ok(());
        }
        for _ in 0..REBASES_MAX {
            match self.commit(self.change()).await {
                // Not a rival but the process before, whose last commit arrived just now.
                Err(Error::Conflict { .. }) => self.look().await?,
                other => return other.map(|_| ()),
            }
        }
        Err(Error::Contended { times: REBASES_MAX })
    }

    /// The name under which this process commits.
    pub(crate) fn writer(&self) -> &str {
        &self.writer
    }

    pub(crate) fn version(&self) -> &Version {
        &self.version
    }

    /// Number of the next manifest, if nobody comes in between.
    pub(crate) fn next(&self) -> u64 {
        self.last + 1
    }

    /// Whether nothing but the newest manifest was there, so that what it does not list is of no use.
    pub(crate) fn newest(&self) -> bool {
        self.newest
    }

    /// Times a commit had to be made again because others came in between, since last asked.
    pub(crate) fn take_rebases(&mut self) -> u64 {
        std::mem::take(&mut self.rebases)
    }

    /// A change that changes nothing yet.
    pub(crate) fn change(&self) -> Change {
        let mine = self.version.progress(&self.writer);
        Change {
            progress: Progress {
                session: self.session,
                commits: mine.commits + 1,
                ..mine
            },
            ..Change::default()
        }
    }

    /// Commits a change: all or nothing, durable on return. The version before is returned.
    ///
    /// # Errors
    /// [`Error::Conflict`] when somebody else commits under this name, [`Error::Superseded`] when what was to be
    /// replaced is gone: then nothing was committed. After any other error [`Commits::settle`] finds out.
    pub(crate) async fn commit(&mut self, change: Change) -> Result<Version, Error> {
        let (version, prepared) = self.version.apply(&change, &self.writer, self.next())?;
        self.undecided = Some(Undecided {
            change,
            version,
            prepared,
        });
        let before = self.version.clone();
        self.settle().await?;
        Ok(before)
    }

    /// Brings the commit under way to its end, if there is one. True when there was.
    ///
    /// # Errors
    /// As [`Commits::commit`]; it may be tried again.
    pub(crate) async fn settle(&mut self) -> Result<bool, Error> {
        for _ in 0..REBASES_MAX {
            let Some(undecided) = &self.undecided else {
                return Ok(false);
            };
            match self.attempt(undecided).await? {
                Attempt::Committed(version) => {
                    self.undecided = None;
                    self.last = self.last.max(version.number);
                    self.version = version;
                    return Ok(true);
                }
                Attempt::Overtaken(found) => self.rebase(found)?,
            }
        }
        Err(Error::Contended { times: REBASES_MAX })
    }

    /// Makes the change under way again on top of what others committed.
    fn rebase(&mut self, found: Found) -> Result<(), Error> {
        let Some(undecided) = self.undecided.take() else {
            return Ok(());
        };
        self.last = self.last.max(found.last);
        if found.version.progress(&self.writer) != self.version.progress(&self.writer) {
            return Err(Error::Conflict {
                writer: self.writer.clone(),
            });
        }
        self.rebases += 1;
        self.version = found.version;
        let (version, prepared) = self.version.apply(&undecided.change, &self.writer, self.next())?;
        self.undecided = Some(Undecided {
            change: undecided.change,
            version,
            prepared,
        });
        Ok(())
    }

    async fn attempt(&self, undecided: &Undecided) -> Result<Attempt, Error> {
        let Undecided { version, prepared, .. } = undecided;
        prepared.put_base(&self.objects).await?;
        let path = path_of(version.number);
        let put = self
            .objects
            .put(&path, prepared.manifest.clone(), PutMode::Create)
            .await;
        let mine = match put {
            Ok(()) => true,
            Err(Error::Object {
                source: ObjectError::AlreadyExists { .. } | ObjectError::Precondition { .. },
                ..
            }) => self.holds_mine(undecided).await?,
            Err(error) => return Err(error),
        };
        let last = history::numbers(&self.objects).await?.last().copied();
        if mine && last.is_none_or(|last| last <= version.number) {
            self.objects.sync(&path).await?;
            return Ok(Attempt::Committed(version.clone()));
        }
        let found = history::newest(&self.objects, &self.writer, &self.version).await?;
        let (now, meant) = (found.version.progress(&self.writer), &undecided.change.progress);
        if &now == meant {
            return Ok(Attempt::Committed(found.version));
        }
        Ok(Attempt::Overtaken(found))
    }

    /// Whether the manifest of that number is the one that was to be put, from an attempt that was not heard of.
    async fn holds_mine(&self, undecided: &Undecided) -> Result<bool, Error> {
        match self.objects.get(&path_of(undecided.version.number)).await {
            Ok(bytes) => Ok(bytes == undecided.prepared.manifest),
            Err(Error::Object {
                source: ObjectError::NotFound { .. },
                ..
            }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Looks for what others committed. True when there is something new.
    ///
    /// # Errors
    /// When the store refuses.
    pub(crate) async fn refresh(&mut self) -> Result<bool, Error> {
        if !self.objects.shared() || self.undecided.is_some() {
            return Ok(false);
        }
        let last = history::numbers(&self.objects).await?.last().copied().unwrap_or(0);
        if last <= self.last {
            return Ok(false);
        }
        let mine = self.version.progress(&self.writer);
        self.look().await?;
        if self.version.progress(&self.writer) != mine {
            return Err(Error::Conflict {
                writer: self.writer.clone(),
            });
        }
        Ok(true)
    }

    async fn look(&mut self) -> Result<(), Error> {
        let found = history::newest(&self.objects, &self.writer, &self.version).await?;
        self.last = self.last.max(found.last);
        self.version = found.version;
        Ok(())
    }

    /// Deletes manifests and bases that are long superseded by the version committed last, which took the place of
    /// `before`. A failure leaves something lying about and nothing else.
    pub(crate) async fn clean(&self, before: &Version) {
        let with_bases = before.base() != self.version.base();
        if let Err(error) = history::clean(&self.objects, &self.version, with_bases).await {
            tracing::warn!(%error, "could not delete old manifests");
        }
    }
}
