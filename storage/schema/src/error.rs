//! What can be wrong with a record batch or an identifier that claims to be ours.

/// Why something is not a valid span batch or identifier.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A record batch whose schema is not [`crate::arrow_schema`].
    #[error("column {index} is {found}, expected {expected}")]
    Schema {
        /// Position of the first column that differs.
        index: usize,
        /// Name and type found there.
        found: String,
        /// Name and type that belong there.
        expected: String,
    },
    /// Text that is not UTF-8.
    #[error("{column} holds text that is not UTF-8")]
    Text {
        /// Which column.
        column: &'static str,
    },
    /// More bytes or entries in one column than Arrow's 32-bit offsets can address.
    #[error("{column} is longer than 2 GiB")]
    TooLong {
        /// Which column.
        column: &'static str,
    },
    /// An identifier that is not hexadecimal of the right length.
    #[error("{text:?} is not an identifier of {bytes} bytes in hexadecimal")]
    Id {
        /// What was given.
        text: String,
        /// How many bytes the identifier has.
        bytes: usize,
    },
    /// OTLP bytes that are not the message that they were taken for.
    #[error(transparent)]
    Wire(#[from] crate::otlp::WireError),
    /// Columns that do not fit together.
    #[error("the columns do not fit together")]
    Columns(#[from] arrow::error::ArrowError),
}
