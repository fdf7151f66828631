//! `GET /api/v1/incidents`, `GET /api/v1/incidents/{id}`, `POST /api/v1/incidents/{id}/notes`.

use super::dto::incident::IncidentsDto;
use super::dto::recall::NoteDto;
use super::params::{Params, PathParam, Problem};
use super::{Shared, aside, json};
use crate::live::{NOTES_MAX, Noted};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;

/// Longest note, and longest name of who wrote it.
const TEXT_CHARS_MAX: usize = 4_000;
const AUTHOR_CHARS_MAX: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewNote {
    text: String,
    #[serde(default)]
    author: Option<String>,
}

pub(super) async fn list(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let params = Params::parse(query.as_deref(), &["state"])?;
    let mut incidents = shared.live.history.all();
    match params.one("state")? {
        None => {}
        Some("open") => incidents.retain(|incident| incident.is_open()),
        Some("resolved") => incidents.retain(|incident| !incident.is_open()),
        Some(other) => return Err(Problem::parameter("state", other, "open or resolved")),
    }
    json(&IncidentsDto::listing(&incidents))
}

pub(super) async fn one(
    State(shared): State<Shared>,
    PathParam(id): PathParam,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Params::parse(query.as_deref(), &[])?;
    json(&*shared.live.history.get(&id).ok_or_else(unknown)?)
}

/// Adds a note; answers 201 with the incident.
pub(super) async fn note(
    State(shared): State<Shared>,
    PathParam(id): PathParam,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Response), Problem> {
    Params::parse(query.as_deref(), &[])?;
    // Pages of other sites cannot send this type without asking first.
    let is_json = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !is_json.is_some_and(|value| value.starts_with("application/json")) {
        let message = "a note is sent with Content-Type: application/json";
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "invalid_argument",
            message,
        ));
    }
    let body = body.map_err(|rejection| Problem::body(rejection.status(), &rejection.body_text()))?;
    let note: NewNote = serde_json::from_slice(&body).map_err(|error| {
        Problem::invalid(format!(
            "the body must be {{\"text\":\"..\"}}, with \"author\" if wanted: {error}"
        ))
    })?;
    let text = note.text.trim();
    if text.is_empty() || text.chars().count() > TEXT_CHARS_MAX {
        return Err(Problem::invalid(format!(
            "text must have 1 to {TEXT_CHARS_MAX} characters"
        )));
    }
    let author = note
        .author
        .as_deref()
        .map(str::trim)
        .filter(|author| !author.is_empty());
    if author.is_some_and(|author| author.chars().count() > AUTHOR_CHARS_MAX) {
        return Err(Problem::invalid(format!(
            "author must have at most {AUTHOR_CHARS_MAX} characters"
        )));
    }
    let note = NoteDto {
        at_unix_nano: (shared.clock)().0.to_string(),
        author: author.map(str::to_owned),
        text: text.to_owned(),
    };
    let live = Arc::clone(&shared.live);
    let noted = aside(move || live.history.note(&id, note)).await?;
    match noted.map_err(|error| Problem::internal(format!("could not keep the note: {error}")))? {
        Noted::Added(incident) => Ok((StatusCode::CREATED, json(&*incident)?)),
        Noted::Unknown => Err(unknown()),
        Noted::Full => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "resource_exhausted",
            format!("the incident has {NOTES_MAX} notes, which is the most that are kept"),
        )),
    }
}

fn unknown() -> Problem {
    Problem::not_found("there is no incident of that id; /api/v1/incidents lists them")
}
