//! Whether a store does what commits rest on: of several who create the same object, exactly one succeeds, and its
//! bytes stay. Some stores that speak S3 ignore `If-None-Match: *` without a word; the table would lose spans there.
//!
//! Source: Amazon S3 API, PutObject, header `If-None-Match`; RFC 9110, section 13.1.2.

use super::Objects;
use crate::Error;
use bytes::Bytes;
use futures::future::join_all;
use object_store::path::Path;
use object_store::{Error as ObjectError, PutMode};

/// Prefix of the objects that are put and deleted again.
const PREFIX: &str = "probe";
/// How many create the object at once.
const RIVALS: u8 = 4;

impl Objects {
    /// Tries it out on an object of this name.
    ///
    /// # Errors
    /// [`Error::Unconditional`] when the store cannot be relied upon; else its own error.
    pub(crate) async fn check_conditional_put(&self, name: &str) -> Result<(), Error> {
        let path = Path::from(format!("{PREFIX}/{name}"));
        // Left over from a check that was cut short.
        self.delete(&path).await?;
        let created = join_all((0..RIVALS).map(|rival| self.create(&path, rival))).await;
        let mut winners = Vec::new();
        for (rival, created) in (0..RIVALS).zip(created) {
            if created? {
                winners.push(rival);
            }
        }
        let late = self.create(&path, RIVALS).await?;
        let kept = self.get(&path).await?;
        self.delete(&path).await?;
        let found = match winners[..] {
            [winner] if !late && kept[..] == [winner] => return Ok(()),
            // The one who won was told the contrary, because its request was repeated on the way.
            [] if !late && kept.len() == 1 && kept[0] < RIVALS => return Ok(()),
            [_] if late => "an object that was there was written over".to_owned(),
            [_] => "the object does not hold what was written first".to_owned(),
            _ => format!("{} of {RIVALS} created the same object", winners.len()),
        };
        Err(Error::Unconditional { found })
    }

    async fn create(&self, path: &Path, rival: u8) -> Result<bool, Error> {
        match self.put(path, Bytes::from(vec![rival]), PutMode::Create).await {
            Ok(()) => Ok(true),
            Err(Error::Object {
                source: ObjectError::AlreadyExists { .. } | ObjectError::Precondition { .. },
                ..
            }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
