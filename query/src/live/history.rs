//! Every incident of the past and the present, with what was announced of it: a file each, `<id>.json`.
//!
//! The live loop writes, and whoever adds a note; readers share what is in memory and never wait for the disk.

use super::{files, likeness};
use crate::Error;
use crate::http::dto::incident::IncidentDto;
use crate::http::dto::recall::NoteDto;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Incidents remembered; the oldest resolved ones are forgotten first.
const INCIDENTS_MAX: usize = 500;
/// Notes of one incident.
pub(crate) const NOTES_MAX: usize = 100;
/// Longest id that is used as the name of a file as it is.
const ID_CHARS_MAX: usize = 120;

/// What happens to an incident that people are told of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Event {
    #[serde(rename = "incident.opened")]
    Opened,
    #[serde(rename = "incident.resolved")]
    Resolved,
}

impl Event {
    /// The word used in pages.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "incident.opened",
            Self::Resolved => "incident.resolved",
        }
    }
}

#[derive(Clone, Debug)]
struct Entry {
    incident: Arc<IncidentDto>,
    announced: Vec<Event>,
}

/// An entry as the file has it.
#[derive(Deserialize)]
struct Kept {
    incident: IncidentDto,
    announced: Vec<Event>,
}

/// The same, to be written.
#[derive(Serialize)]
struct Keep<'a> {
    incident: &'a IncidentDto,
    announced: &'a [Event],
}

/// The incidents.
pub(crate) struct History {
    folder: PathBuf,
    entries: Mutex<Vec<Entry>>,
    /// Held by whoever changes an incident, until it is on disk.
    writing: Mutex<()>,
}

/// What became of a note.
#[derive(Debug)]
pub(crate) enum Noted {
    /// The incident with it.
    Added(Arc<IncidentDto>),
    /// There is no such incident.
    Unknown,
    /// There are [`NOTES_MAX`] already.
    Full,
}

impl History {
    pub(crate) fn open(folder: PathBuf) -> Result<Self, Error> {
        let kept: Vec<(PathBuf, Kept)> = files::read_all(&folder)?;
        let entry = |kept: Kept| Entry {
            incident: Arc::new(kept.incident),
            announced: kept.announced,
        };
        let mut kept: Vec<Kept> = kept.into_iter().map(|(_, kept)| kept).collect();
        tell_notes(&mut kept);
        let mut entries: Vec<Entry> = kept.into_iter().map(entry).collect();
        entries.sort_by_key(|entry| entry.incident.started());
        let history = Self {
            folder,
            entries: Mutex::new(entries),
            writing: Mutex::new(()),
        };
        Ok(history)
    }

    /// Adds what is remembered beside an incident: its notes, and earlier ones like it with theirs.
    pub(crate) fn recall(&self, incident: &mut IncidentDto) {
        let entries = self.entries();
        if let Some(known) = entries.iter().find(|entry| entry.incident.id == incident.id) {
            incident.notes.clone_from(&known.incident.notes);
        }
        incident.similar = likeness::similar(incident, entries.iter().map(|entry| &entry.incident));
    }

    /// Adds a note to an incident; on disk when this returns without an error. Whoever is like it shows it too, from
    /// memory: their files are left alone, see [`tell_notes`].
    pub(crate) fn note(&self, id: &str, note: NoteDto) -> Result<Noted, Error> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = self.get(id) else {
            return Ok(Noted::Unknown);
        };
        if known.notes.len() >= NOTES_MAX {
            return Ok(Noted::Full);
        }
        let mut incident = IncidentDto::clone(&known);
        incident.notes.push(note);
        // On disk first: a note that could not be kept is not shown, so that it can be sent again.
        let entry = self.entry(incident, None);
        self.write(&entry)?;
        let incident = Arc::clone(&entry.incident);
        self.remember(entry);
        let mut entries = self.entries();
        let like = |entry: &&mut Entry| entry.incident.similar.iter().any(|similar| similar.id == id);
        for entry in entries.iter_mut().filter(like) {
            let mut other = IncidentDto::clone(&entry.incident);
            for similar in other.similar.iter_mut().filter(|similar| similar.id == id) {
                similar.notes = likeness::told_of(&incident.notes).to_vec();
            }
            entry.incident = Arc::new(other);
        }
        Ok(Noted::Added(incident))
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All incidents, open ones first, then the newest first.
    pub(crate) fn all(&self) -> Vec<Arc<IncidentDto>> {
        let mut all: Vec<_> = self.entries().iter().map(|entry| Arc::clone(&entry.incident)).collect();
        all.sort_by(|a, b| {
            let by_state = b.is_open().cmp(&a.is_open());
            by_state
                .then_with(|| b.started().cmp(&a.started()))
                .then_with(|| a.id.cmp(&b.id))
        });
        all
    }

    /// One incident.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<IncidentDto>> {
        let entries = self.entries();
        entries
            .iter()
            .find(|entry| entry.incident.id == id)
            .map(|entry| Arc::clone(&entry.incident))
    }

    pub(crate) fn was_announced(&self, id: &str, event: Event) -> bool {
        self.entries()
            .iter()
            .any(|entry| entry.incident.id == id && entry.announced.contains(&event))
    }

    pub(crate) fn open_count(&self) -> usize {
        self.entries().iter().filter(|entry| entry.incident.is_open()).count()
    }

    /// Adds or replaces an incident; on disk when this returns without an error, in memory in any case.
    pub(crate) fn put(&self, mut incident: IncidentDto, event: Option<Event>) -> Result<(), Error> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.recall(&mut incident);
        let entry = self.entry(incident, event);
        let written = self.write(&entry);
        let forgotten = self.remember(entry);
        written?;
        forgotten
            .iter()
            .try_for_each(|entry| files::remove(&self.path(&entry.incident.id)))
    }

    /// The entry of an incident, with what was announced of it so far and now.
    fn entry(&self, incident: IncidentDto, event: Option<Event>) -> Entry {
        let entries = self.entries();
        let known = entries.iter().find(|entry| entry.incident.id == incident.id);
        let mut announced = known.map(|entry| entry.announced.clone()).unwrap_or_default();
        announced.extend(event);
        Entry {
            incident: Arc::new(incident),
            announced,
        }
    }

    fn write(&self, entry: &Entry) -> Result<(), Error> {
        let keep = Keep {
            incident: &entry.incident,
            announced: &entry.announced,
        };
        files::write(&self.path(&entry.incident.id), &keep)
    }

    /// Takes an entry into memory; gives back those that there is no room for any more.
    fn remember(&self, entry: Entry) -> Vec<Entry> {
        let mut forgotten = Vec::new();
        let mut entries = self.entries();
        match entries.iter_mut().find(|known| known.incident.id == entry.incident.id) {
            Some(known) => *known = entry,
            None => entries.push(entry),
        }
        while entries.len() > INCIDENTS_MAX {
            let oldest = entries.iter().position(|entry| !entry.incident.is_open()).unwrap_or(0);
            forgotten.push(entries.remove(oldest));
        }
        forgotten
    }

    fn path(&self, id: &str) -> PathBuf {
        path(&self.folder, id)
    }
}

/// Brings the notes told of earlier incidents up to date with their own files: a note is written to the file of its
/// incident only. What is told of one that is forgotten by now stays as it was.
fn tell_notes(kept: &mut [Kept]) {
    let noted = kept.iter().filter(|kept| !kept.incident.notes.is_empty());
    let notes: HashMap<String, Vec<NoteDto>> = noted
        .map(|kept| {
            let told = likeness::told_of(&kept.incident.notes).to_vec();
            (kept.incident.id.clone(), told)
        })
        .collect();
    for similar in kept.iter_mut().flat_map(|kept| &mut kept.incident.similar) {
        if let Some(notes) = notes.get(&similar.id) {
            similar.notes.clone_from(notes);
        }
    }
}

/// The file of an incident. Ids are made of letters, digits and hyphens; whatever else comes is hashed.
fn path(folder: &Path, id: &str) -> PathBuf {
    let plain = (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let name = if plain {
        id.to_owned()
    } else {
        hex::encode(Sha256::digest(id))
    };
    folder.join(name + ".json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::dto::explanation::ExplanationDto;
    use crate::http::dto::incident::{CauseDto, EntityDto, SuspectDto};

    fn incident(number: usize, state: &str) -> IncidentDto {
        IncidentDto {
            id: format!("{number}-cart"),
            state: state.to_owned(),
            started_unix_nano: number.to_string(),
            detected_unix_nano: number.to_string(),
            resolved_unix_nano: None,
            cause: CauseDto {
                kind: "slow".to_owned(),
                confidence: 0.5,
            },
            suspects: Vec::new(),
            affected: Vec::new(),
            entry_points: Vec::new(),
            explanation: ExplanationDto::default(),
            notes: Vec::new(),
            similar: Vec::new(),
        }
    }

    #[test]
    fn remembers_over_a_restart_what_was_announced() {
        let folder = tempfile::tempdir().expect("a folder");
        let history = History::open(folder.path().to_owned()).expect("opens");
        history.put(incident(1, "open"), Some(Event::Opened)).expect("kept");
        history
            .put(incident(1, "resolved"), Some(Event::Resolved))
            .expect("kept");
        history.put(incident(2, "open"), None).expect("kept");
        let history = History::open(folder.path().to_owned()).expect("opens again");
        assert!(history.was_announced("1-cart", Event::Opened) && history.was_announced("1-cart", Event::Resolved));
        assert!(!history.was_announced("2-cart", Event::Opened));
        assert_eq!(history.open_count(), 1);
        let ids: Vec<String> = history.all().iter().map(|incident| incident.id.clone()).collect();
        assert_eq!(ids, ["2-cart", "1-cart"]);
    }

    #[test]
    fn notes_outlive_changes_and_restarts() {
        let folder = tempfile::tempdir().expect("a folder");
        let history = History::open(folder.path().to_owned()).expect("opens");
        history.put(incident(1, "open"), Some(Event::Opened)).expect("kept");
        let note = |number: usize| NoteDto {
            at_unix_nano: number.to_string(),
            author: None,
            text: format!("note {number}"),
        };
        for number in 0..NOTES_MAX {
            assert!(matches!(
                history.note("1-cart", note(number)).expect("kept"),
                Noted::Added(_)
            ));
        }
        assert!(matches!(
            history.note("1-cart", note(0)).expect("no error"),
            Noted::Full
        ));
        assert!(matches!(
            history.note("2-cart", note(0)).expect("no error"),
            Noted::Unknown
        ));
        history
            .put(incident(1, "resolved"), Some(Event::Resolved))
            .expect("kept");
        let history = History::open(folder.path().to_owned()).expect("opens again");
        let kept = history.get("1-cart").expect("it is remembered");
        assert_eq!((kept.notes.len(), kept.notes[7].text.as_str()), (NOTES_MAX, "note 7"));
        assert!(history.was_announced("1-cart", Event::Opened));
    }

    #[test]
    fn a_note_written_late_is_told_beside_a_later_incident_after_a_restart_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let history = History::open(folder.path().to_owned()).expect("opens");
        for number in [1, 2] {
            let mut incident = incident(number, "resolved");
            incident.suspects.push(SuspectDto {
                entity: EntityDto {
                    kind: "service".to_owned(),
                    name: "cart".to_owned(),
                    service: None,
                },
                score: 0.5,
                share: 0.0,
                evidence: Vec::new(),
            });
            history.put(incident, None).expect("kept");
        }
        let note = NoteDto {
            at_unix_nano: "3".to_owned(),
            author: None,
            text: "it was the disk".to_owned(),
        };
        history.note("1-cart", note.clone()).expect("kept");
        let told = |history: &History| {
            history.get("2-cart").expect("it is remembered").similar[0]
                .notes
                .clone()
        };
        assert_eq!(told(&history), std::slice::from_ref(&note));
        let history = History::open(folder.path().to_owned()).expect("opens again");
        assert_eq!(told(&history), [note]);
    }

    #[test]
    fn files_of_before_there_were_notes_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = r#"{"incident":{"id":"1-cart","state":"resolved","started_unix_nano":"1","detected_unix_nano":"1",
            "resolved_unix_nano":"2","cause":{"kind":"slow","confidence":0.5},"suspects":[],"affected":[],"entry_points":[]},
            "announced":["incident.opened"]}"#;
        std::fs::write(folder.path().join("1-cart.json"), old).expect("written");
        let history = History::open(folder.path().to_owned()).expect("opens");
        let kept = history.get("1-cart").expect("it is read");
        assert!(kept.notes.is_empty() && kept.similar.is_empty());
    }

    #[test]
    fn forgets_the_oldest_that_is_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let history = History::open(folder.path().to_owned()).expect("opens");
        for number in 0..=INCIDENTS_MAX {
            let state = if number == 0 { "open" } else { "resolved" };
            history.put(incident(number, state), None).expect("kept");
        }
        assert!(history.get("0-cart").is_some(), "it is still open");
        assert!(history.get("1-cart").is_none());
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), INCIDENTS_MAX);
    }

    #[test]
    fn an_id_never_leaves_the_folder() {
        let folder = Path::new("/f");
        assert_eq!(path(folder, "17-cart"), Path::new("/f/17-cart.json"));
        for odd in ["", "../x", "a/b", "ü", &"x".repeat(200)] {
            let path = path(folder, odd);
            assert_eq!(path.parent(), Some(folder), "{odd}");
            assert_eq!(path.file_stem().expect("a name").len(), 64, "{odd}");
        }
    }
}
