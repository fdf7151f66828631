//! What is remembered beside an incident: notes that people wrote, and earlier incidents like it.

use super::incident::EntityDto;
use serde::{Deserialize, Serialize};

/// What somebody wrote about an incident.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct NoteDto {
    /// When it was written.
    pub at_unix_nano: String,
    /// Who wrote it, where that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What was written.
    pub text: String,
}

/// An earlier incident like this one.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SimilarDto {
    /// Its id.
    pub id: String,
    /// When it began.
    pub started_unix_nano: String,
    /// Since when it is over.
    pub resolved_unix_nano: Option<String>,
    /// The kind of its cause.
    pub cause: String,
    /// Its first suspect.
    pub culprit: Option<EntityDto>,
    /// How alike they are, from 0 to 1.
    pub likeness: f64,
    /// What was written about it, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<NoteDto>,
}
