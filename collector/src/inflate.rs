//! Inflating bodies, never beyond a limit: the limit is enforced while inflating, not after.

use crate::admit::Lease;
use crate::refusal::{BadInput, Refusal};
use bytes::Bytes;
use std::io::Read;

/// Largest window that a zstd frame may ask for, as a power of two: what RFC 8878 section 3.1.1.1.2 recommends.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Bytes inflated between two looks at the limits.
const STEP_BYTES: usize = 64 << 10;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Identity,
    Gzip,
    Zstd,
}

/// The names of all, for `Accept-Encoding`.
pub(crate) const SUPPORTED: &str = "gzip, zstd, identity";

impl Compression {
    /// Reads a `Content-Encoding` or `grpc-encoding`; absent is identity.
    pub(crate) fn from_header(header: Option<&[u8]>) -> Result<Self, Refusal> {
        let name = header.unwrap_or_default().trim_ascii().to_ascii_lowercase();
        match name.as_slice() {
            b"" | b"identity" => Ok(Self::Identity),
            b"gzip" | b"x-gzip" => Ok(Self::Gzip),
            b"zstd" => Ok(Self::Zstd),
            other => {
                let other: String = String::from_utf8_lossy(other).chars().take(40).collect();
                let message = format!("compression {other:?} is not supported; use one of: {SUPPORTED}");
                Err(Refusal::bad(BadInput::ContentEncoding, message))
            }
        }
    }

    /// The body, inflated; what is not compressed is passed on as it is.
    pub(crate) fn inflate(self, body: Bytes, limit_bytes: usize, lease: &mut Lease) -> Result<Bytes, Refusal> {
        let corrupt =
            |error: std::io::Error| Refusal::bad(BadInput::Compression, format!("the body does not inflate: {error}"));
        match self {
            Self::Identity if body.len() > limit_bytes => Err(Refusal::too_large(limit_bytes)),
            Self::Identity => Ok(body),
            Self::Gzip => read(
                flate2::read::MultiGzDecoder::new(&body[..]),
                limit_bytes,
                lease,
                corrupt,
            ),
            Self::Zstd => {
                let mut reader = zstd::stream::read::Decoder::with_buffer(&body[..]).map_err(corrupt)?;
                reader.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(corrupt)?;
                read(reader, limit_bytes, lease, corrupt)
            }
        }
    }
}

fn read(
    mut from: impl Read,
    limit_bytes: usize,
    lease: &mut Lease,
    corrupt: impl Fn(std::io::Error) -> Refusal,
) -> Result<Bytes, Refusal> {
    let mut out = Vec::new();
    loop {
        let step = STEP_BYTES.max(out.len()).min(limit_bytes + 1 - out.len());
        lease.grow(step)?;
        let read = from
            .by_ref()
            .take(step as u64)
            .read_to_end(&mut out)
            .map_err(&corrupt)?;
        if out.len() > limit_bytes {
            return Err(Refusal::too_large(limit_bytes));
        }
        if read < step {
            // It is kept for a while: no more room than it fills.
            return Ok(Bytes::from(out.into_boxed_slice()));
        }
    }
}
