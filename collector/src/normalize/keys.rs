//! Attribute keys and what they mean. Renamed keys have two meanings, the newer of which is asked first; those of clouds
//! and of OpenTracing share the older one.

/// Meanings that are texts; each is a slot.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    HttpMethod,
    HttpMethodOld,
    HttpRoute,
    HttpHost,
    UrlFull,
    UrlFullOld,
    RpcSystem,
    RpcSystemOld,
    RpcService,
    RpcMethod,
    MessagingSystem,
    Destination,
    DestinationOld,
    RoutingKey,
    RoutingKeyOld,
    DbSystem,
    DbSystemOld,
    DbNamespace,
    DbNamespaceOld,
    PeerService,
    PeerServiceOld,
    ServerAddress,
    NetPeerName,
    PeerHostname,
    SocketPeerName,
    NetworkPeerAddress,
    SocketPeerAddress,
    ErrorType,
}

/// How many [`Text`] there are.
pub(super) const TEXTS: usize = Text::ErrorType as usize + 1;

/// Meanings that are numbers; each is a slot.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    HttpStatus,
    HttpStatusOld,
    GrpcStatus,
    ServerPort,
    NetPeerPort,
}

/// How many [`Number`] there are.
pub(super) const NUMBERS: usize = Number::NetPeerPort as usize + 1;

/// What a key means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning {
    Text(Text),
    Number(Number),
    /// The span talks to a database, whatever the value.
    DatabaseMark,
    /// The span failed, where it is true.
    ErrorMark,
}

/// What the key means, if anything here depends on it.
#[inline]
pub(super) fn meaning(key: &[u8]) -> Option<Meaning> {
    use Meaning::{DatabaseMark, ErrorMark, Number as N, Text as T};
    Some(match key {
        b"http.request.method" => T(Text::HttpMethod),
        b"http.method" => T(Text::HttpMethodOld),
        b"http.route" => T(Text::HttpRoute),
        b"http.host" => T(Text::HttpHost),
        b"url.full" => T(Text::UrlFull),
        b"http.url" | b"db.connection_string" => T(Text::UrlFullOld),
        b"http.response.status_code" => N(Number::HttpStatus),
        b"http.status_code" => N(Number::HttpStatusOld),
        b"rpc.system.name" => T(Text::RpcSystem),
        b"rpc.system" => T(Text::RpcSystemOld),
        b"rpc.service" => T(Text::RpcService),
        b"rpc.method" => T(Text::RpcMethod),
        b"rpc.grpc.status_code" | b"rpc.response.status_code" | b"grpc.status_code" => N(Number::GrpcStatus),
        b"messaging.system" => T(Text::MessagingSystem),
        b"messaging.destination.name" => T(Text::Destination),
        b"messaging.destination"
        | b"messaging.destination_publish.name"
        | b"message_bus.destination"
        | b"messaging.url"
        | b"aws.sqs.queue.url"
        | b"aws.queue.url"
        | b"aws.sns.topic.arn"
        | b"aws.kinesis.stream_name" => T(Text::DestinationOld),
        b"messaging.rabbitmq.destination.routing_key" => T(Text::RoutingKey),
        b"messaging.rabbitmq.routing_key" => T(Text::RoutingKeyOld),
        b"db.system.name" => T(Text::DbSystem),
        b"db.system" | b"db.type" => T(Text::DbSystemOld),
        b"db.namespace" => T(Text::DbNamespace),
        b"db.name" | b"db.instance" | b"db.cassandra.keyspace" => T(Text::DbNamespaceOld),
        b"db.statement"
        | b"db.query.text"
        | b"db.operation"
        | b"db.operation.name"
        | b"db.collection.name"
        | b"db.sql.table" => DatabaseMark,
        b"service.peer.name" => T(Text::PeerService),
        b"peer.service" | b"faas.invoked_name" => T(Text::PeerServiceOld),
        b"server.address" => T(Text::ServerAddress),
        b"server.port" => N(Number::ServerPort),
        b"net.peer.name" => T(Text::NetPeerName),
        b"net.peer.port" | b"peer.port" => N(Number::NetPeerPort),
        b"peer.hostname" => T(Text::PeerHostname),
        b"net.sock.peer.name" => T(Text::SocketPeerName),
        b"network.peer.address" => T(Text::NetworkPeerAddress),
        b"net.sock.peer.addr" | b"net.peer.ip" | b"peer.address" | b"peer.ipv4" | b"peer.ipv6" => {
            T(Text::SocketPeerAddress)
        }
        b"error.type" => T(Text::ErrorType),
        b"error" => ErrorMark,
        _ => return None,
    })
}
