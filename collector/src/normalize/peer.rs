//! The callee as the caller names it.
//!
//! Only spans that call have a peer: client, producer and consumer (whose peer is the queue), and spans that do not tell their
//! kind, which may be calls: the graph finds out. The name is the first that
//! is given of: the destination, for queues; the peer's service name; its address; the host of the URL; the RPC
//! service; the database's name; the technology. Ports are left out, except on loopback addresses, which all
//! services of one machine share and only the port separates.

use super::keys::{Number, Text};
use super::{Protocol, SpanFacts};
use epicenter_schema::SpanRow;

const KIND_UNSPECIFIED: i32 = 0;
const KIND_CLIENT: i32 = 3;
const KIND_PRODUCER: i32 = 4;
const KIND_CONSUMER: i32 = 5;

/// Longest host and port written together; longer hosts go without their port.
pub(crate) const HOST_PORT_MAX: usize = 48;

pub(super) fn is_messaging_kind(kind: i32) -> bool {
    matches!(kind, KIND_PRODUCER | KIND_CONSUMER)
}

impl<'a> SpanFacts<'a> {
    pub(super) fn normalize_peer(&self, protocol: Option<Protocol>, row: &mut SpanRow<'a>) {
        row.peer_system = match protocol {
            Some(Protocol::Messaging) => self.first([Text::MessagingSystem]),
            Some(Protocol::Database | Protocol::Cache) => self.database_system(),
            _ => None,
        };
        if !matches!(row.kind, KIND_UNSPECIFIED | KIND_CLIENT | KIND_PRODUCER | KIND_CONSUMER) {
            return;
        }
        row.peer = self.peer(protocol, row.kind);
        row.peer_kind = match protocol {
            Some(protocol) => Some(protocol.peer_kind()),
            None => row.peer.map(|_| b"service".as_slice()),
        };
    }

    fn peer(&self, protocol: Option<Protocol>, kind: i32) -> Option<&'a [u8]> {
        let queue = if protocol == Some(Protocol::Messaging) {
            self.destination(kind)
        } else {
            None
        };
        queue
            .or_else(|| self.first([Text::PeerService, Text::PeerServiceOld]))
            .or_else(|| self.address())
            .or_else(|| self.rpc().0.map(last_part))
            .or_else(|| self.first([Text::DbNamespace, Text::DbNamespaceOld]))
            .or_else(|| self.first([Text::DbSystem, Text::DbSystemOld, Text::MessagingSystem]))
    }

    /// The host, or host and port where the host alone says nothing and the sender wrote both in one value.
    fn address(&self) -> Option<&'a [u8]> {
        let named = self
            .first([
                Text::ServerAddress,
                Text::NetPeerName,
                Text::PeerHostname,
                Text::SocketPeerName,
            ])
            .or_else(|| self.first([Text::NetworkPeerAddress, Text::SocketPeerAddress]));
        let written = self
            .first([Text::UrlFull, Text::UrlFullOld])
            .and_then(authority)
            .or_else(|| self.first([Text::HttpHost]));
        match (named, written) {
            (Some(name), Some(authority)) if is_loopback(name) && host(authority) == name => Some(authority),
            (Some(name), _) => Some(name),
            (None, Some(authority)) if is_loopback(host(authority)) => Some(authority),
            (None, Some(authority)) => Some(host(authority)),
            (None, None) => None,
        }
    }

    /// Host and port of a loopback peer, where the sender gives them as two attributes: a text that is in no buffer of
    /// the request, so the caller gives the room for it.
    pub(crate) fn write_loopback<'b>(&self, row: &SpanRow<'_>, room: &'b mut [u8; HOST_PORT_MAX]) -> Option<&'b [u8]> {
        let peer = row.peer.filter(|peer| is_loopback(peer))?;
        let port = self.first_number([Number::ServerPort, Number::NetPeerPort])?;
        let mut rest = room.as_mut_slice();
        std::io::Write::write_all(&mut rest, peer).ok()?;
        std::io::Write::write_fmt(&mut rest, format_args!(":{port}")).ok()?;
        let unused = rest.len();
        Some(&room[..HOST_PORT_MAX - unused])
    }
}

/// A queue as both sides name it. URLs and Amazon's resource names end with the name. Consumers at RabbitMQ name
/// `exchange:routing key:queue`, producers only the first two.
pub(super) fn queue_name(named: &[u8], kind: i32, is_rabbit: bool) -> &[u8] {
    let after = |mark: u8| {
        let at = named.iter().rposition(|b| *b == mark).map_or(0, |at| at + 1);
        if at == named.len() { named } else { &named[at..] }
    };
    if named.starts_with(b"arn:") {
        return after(b':');
    }
    if named.starts_with(b"https://") || named.starts_with(b"http://") {
        return after(b'/');
    }
    let mut colons = named.iter().enumerate().filter(|(_, b)| **b == b':').map(|(at, _)| at);
    match (colons.next(), colons.next(), colons.next()) {
        (Some(_), Some(second), None) if is_rabbit && kind == KIND_CONSUMER => &named[..second],
        _ => named,
    }
}

fn is_loopback(host: &[u8]) -> bool {
    matches!(host, b"localhost" | b"::1" | b"[::1]") || (host.starts_with(b"127.") && !host.contains(&b':'))
}

/// What follows the last dot or slash: `Cart` of `shop.v1.Cart`.
fn last_part(name: &[u8]) -> &[u8] {
    let end = name
        .iter()
        .rposition(|b| matches!(b, b'.' | b'/'))
        .map_or(0, |at| at + 1);
    if end == name.len() { name } else { &name[end..] }
}

/// `host:port` of a URL, without the user.
fn authority(url: &[u8]) -> Option<&[u8]> {
    let start = url.windows(3).position(|w| w == b"://")? + 3;
    let rest = &url[start..];
    let end = rest
        .iter()
        .position(|b| matches!(b, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    let authority = &rest[..end];
    let user = authority.iter().rposition(|b| *b == b'@').map_or(0, |at| at + 1);
    Some(&authority[user..]).filter(|authority| !authority.is_empty())
}

/// The host of `host:port`, also of `[::1]:80`.
fn host(authority: &[u8]) -> &[u8] {
    if let Some(end) = authority.iter().position(|b| *b == b']') {
        return &authority[..=end];
    }
    let end = authority.iter().position(|b| *b == b':').unwrap_or(authority.len());
    &authority[..end]
}
