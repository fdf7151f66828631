//! The `google.rpc` messages that OTLP answers errors with.
//!
//! Source: google/rpc/status.proto and google/rpc/error_details.proto, field numbers as there.

/// `google.protobuf.Any`: a message and the name of its type.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Any {
    /// `type.googleapis.com/` and the full name of the message.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The message, encoded.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Duration {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// The rest, 0 to 999,999,999.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// `google.rpc.Status`: the body of every OTLP error.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Status {
    /// `google.rpc.Code`, the numbers of gRPC.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// What went wrong, for a developer.
    #[prost(string, tag = "2")]
    pub message: String,
    /// More, by type.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// `google.rpc.RetryInfo`: the sender may try again after the delay.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RetryInfo {
    /// How long to wait at least.
    #[prost(message, optional, tag = "1")]
    pub retry_delay: Option<Duration>,
}

impl RetryInfo {
    /// Its name in an [`Any`].
    pub const TYPE_URL: &'static str = "type.googleapis.com/google.rpc.RetryInfo";

    /// To wait that long, as a detail of a [`Status`].
    pub fn detail(delay: std::time::Duration) -> Any {
        let delay = Duration {
            seconds: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(delay.subsec_nanos()).unwrap_or(0),
        };
        let value = prost::Message::encode_to_vec(&Self {
            retry_delay: Some(delay),
        });
        Any {
            type_url: Self::TYPE_URL.to_owned(),
            value,
        }
    }
}
