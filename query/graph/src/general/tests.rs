//! Which names change, and which stay.

use super::*;
use proptest::prelude::*;

fn check(cases: &[(&str, &str)]) {
    for (name, expected) in cases {
        assert_eq!(general(name), *expected, "{name}");
        assert_eq!(general(expected), *expected, "{name}, twice");
    }
}

/// Names that are general already, or of which nothing tells that they are not; nothing is copied.
fn check_kept(names: &[&str]) {
    for name in names {
        assert!(matches!(general(name), Cow::Borrowed(same) if same == *name), "{name}");
    }
}

#[test]
fn identifiers_in_paths_are_left_out() {
    check(&[
        ("GET /orders/81723", "GET /orders/{id}"),
        ("/orders/1", "/orders/{id}"),
        ("/orders/1/items/2/", "/orders/{id}/items/{id}/"),
        ("orders/17", "orders/{id}"),
        ("device/12345/telemetry publish", "device/{id}/telemetry publish"),
        ("/users/3f2a91bc-0d1e-4f5a-8b6c-7d8e9f0a1b2c/cart", "/users/{id}/cart"),
        ("/u/3F2A91BC-0D1E-4F5A-8B6C-7D8E9F0A1B2C", "/u/{id}"),
        ("/u/00000000-0000-0000-0000-000000000000", "/u/{id}"),
        ("/trace/4bf92f3577b34da6a3ce929d0e0e4736", "/trace/{id}"),
        ("/commit/deadbee7", "/commit/{id}"),
        ("/days/2024-01-15", "/days/{id}"),
        ("/o/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/o/{id}"),
        ("/o/pi_3MtwBwLkdIwHu7ix28a3tqPa", "/o/{id}"),
        ("/o/cjld2cjxh0000qzrmn831i7rn", "/o/{id}"),
        ("/v2/café/81723/größe", "/v2/café/{id}/größe"),
        ("/日本/12/語", "/日本/{id}/語"),
    ]);
}

#[test]
fn a_word_beside_an_identifier_stays() {
    check(&[
        ("GET /order-12345", "GET /order-{id}"),
        ("/users/user_420", "/users/user_{id}"),
        ("/stock/sku:999/count", "/stock/sku:{id}/count"),
        ("/orders/12345:cancel", "/orders/{id}:cancel"),
        ("/feed-2024", "/feed-{id}"),
        ("/invoices/INV2024011500012", "/invoices/INV{id}"),
        ("/quarterly-report-20240101", "/quarterly-report-{id}"),
        ("/snap_20240101_20240202_full", "/snap_{id}_full"),
    ]);
}

#[test]
fn the_query_is_left_out() {
    check(&[
        ("GET /cart?x=1", "GET /cart"),
        ("/users/81723?next=/a/9#top", "/users/{id}"),
        ("/page#/orders/12", "/page"),
        ("/Orders?$top=10", "/Orders"),
        ("/?", "/"),
        ("GET /orders/7?x=1 HTTP/1.1", "GET /orders/{id}"),
        ("GET /orders/7 HTTP/1.1", "GET /orders/{id} HTTP/1.1"),
        ("GET http://web:8080/orders/12?x", "GET http://web:8080/orders/{id}"),
        ("https://web:8080?x=1", "https://web:8080"),
        ("10.0.0.1:8080/orders/12", "10.0.0.1:8080/orders/{id}"),
        ("api/orders#show?x=1", "api/orders#show"),
    ]);
}

#[test]
fn names_and_routes_stay() {
    check_kept(&[
        "",
        "/",
        "GET",
        "order 81723",
        "what? #7",
        "GET /api/v1/orders/{id}",
        "/api-v2/v1beta1/oauth2/s3/md5/2fa/utf-8/log4j/k8s/e2e",
        "/operation-01/utf-16/us-east-1/step_10/sku:99",
        "shop.v1.Cart/Add",
        "grpc.health.v1.Health/Check2",
        "com.acme.OrderServiceV2Impl/handle",
        "/Base64Encoder/OrderHistoryV2Controller",
        "/assets/app-3.2.1.js",
        "/assets/main.4f3a2b1c.js",
        "/releases/1.2.3",
        "/orders/:id/items/:id2",
        "/orders/:id?/items",
        "{controller=Home}/{action}/{id?}",
        "/users/<int:pk>/{id1}/*",
        r"^orders/(?P<pk>\d{1,9})/$",
        "^orders/?$",
        "api/v1/orders#show",
        "/facade/decade/deadbeef",
        "/quarterly-report-2024",
        "/wallpaper-1920x1080",
        "/hosts/10.0.0.1",
        "SELECT a/b FROM t1 WHERE id = ?",
        "/größe/é1/日本2",
        "https://web:8080",
        "https://web:8080/",
    ]);
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "(GET |http:/|é)?(/[a-z0-9é]{0,9}[-_:?#{}()$. ]{0,2}[a-zA-Z0-9]{0,18}){0,4}",
        "[/?#:$}( 01a-]{0,16}",
    ]
}

proptest! {
    #[test]
    fn only_segments_with_digits_change(name in names()) {
        let general = general(&name).into_owned();
        prop_assert_eq!(super::general(&general), general.as_str());
        let (before, after) = (name.split('/'), general.split('/'));
        for (index, (before, after)) in before.zip(after.clone()).enumerate() {
            if after.matches(PLACEHOLDER).count() > before.matches(PLACEHOLDER).count() {
                prop_assert!(index > 0 && before.bytes().any(|byte| byte.is_ascii_digit()));
            } else {
                prop_assert!(before.starts_with(after));
            }
        }
        prop_assert!(after.count() <= name.split('/').count());
        if !name.contains(['?', '#']) {
            prop_assert_eq!(general.matches('/').count(), name.matches('/').count());
        }
    }

    #[test]
    fn whatever_number_it_is_the_name_is_the_same(number: u64, id: u128, tail in "([a-z=&][a-z=&/]{0,8})?") {
        let id = format!("{id:032x}");
        let uuid = format!("{}-{}-4{}-{}-{}", &id[..8], &id[8..12], &id[13..16], &id[16..20], &id[20..]);
        let name = format!("GET /orders/{number}/items/{uuid}?{tail}1");
        prop_assert_eq!(general(&name), "GET /orders/{id}/items/{id}");
    }
}
