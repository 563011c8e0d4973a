use super::*;

fn read(responses: &Value) -> Responses {
    Responses::read(&json!({"responses": responses}).to_string().into()).unwrap()
}

fn response(told: &Value) -> Response {
    read(&json!([told])).take(1).unwrap()
}

#[test]
fn answers_are_found_in_any_order_and_only_by_their_ids() {
    let mut told = read(&json!([
        {"id": "2", "status": 404, "body": {"error": {"code": "itemNotFound"}}},
        {"id": 0, "status": 200, "headers": null, "body": {"value": []}},
        {"id": "7", "status": 200, "body": {}},
        {"id": "x", "status": 200},
        {"id": "-1", "status": 200},
        {"id": {}, "status": 200},
        {"status": 200, "body": {"value": [1]}},
        {"id": "1", "status": "200"},
        {"id": "3", "status": 99_999},
        7,
        null,
    ]));
    assert_eq!(told.take(0).unwrap().body, "{\"value\":[]}");
    assert_eq!(told.take(2).unwrap().status, 404);
    assert!(told.take(1).is_none() && told.take(3).is_none() && told.take(4).is_none());
    assert!(told.take(2).is_none(), "each is taken once");
    assert!(!told.expired);
}

#[test]
fn a_question_that_is_answered_twice_has_no_answer() {
    let answer = |status| json!({"id": "0", "status": status, "body": {"value": []}});
    for answers in [
        json!([answer(200), answer(200)]),
        json!([answer(200), answer(404), answer(200)]),
    ] {
        assert!(read(&answers).take(0).is_none(), "{answers}");
    }
}

#[test]
fn a_refused_token_is_noticed_wherever_it_stands() {
    assert!(read(&json!([{"id": "0", "status": 200}, {"id": "1", "status": 401}])).expired);
    assert!(read(&json!([{"id": "odd", "status": 401}])).expired);
}

#[test]
fn what_is_no_list_of_answers_is_none() {
    for body in [
        "",
        "[]",
        "{}",
        "{\"responses\":{}}",
        "{\"responses\":[",
        "<html>",
        "null",
    ] {
        assert!(Responses::read(&body.into()).is_none(), "{body}");
    }
    assert!(
        Responses::read(&"{\"responses\":[]}".into())
            .unwrap()
            .take(0)
            .is_none()
    );
}

#[test]
fn a_time_to_wait_is_read_in_every_form() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (headers, wait) in [
        (json!({"Retry-After": "5"}), seconds(5)),
        (json!({"retry-after": " 31 "}), seconds(31)),
        (json!({"RETRY-AFTER": 9}), seconds(9)),
        (json!({"Retry-After": 0}), seconds(0)),
        (json!({"Retry-After": "99999999999"}), Some(LONGEST)),
        (json!({"Retry-After": u64::MAX}), Some(LONGEST)),
        (json!({"Retry-After": "99999999999999999999999"}), None),
        (json!({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), None),
        (json!({"Retry-After": -5}), None),
        (json!({"Retry-After": 1.5}), None),
        (json!({"Retry-After": ["5"]}), None),
        (json!({"Retry-After": null}), None),
        (json!({"Content-Type": "application/json"}), None),
        (json!({}), None),
        (json!([]), None),
        (Value::Null, None),
    ] {
        let told = response(&json!({"id": "1", "status": 429, "headers": headers}));
        assert_eq!(told.retry_after, wait, "{headers}");
    }
    assert_eq!(response(&json!({"id": "1", "status": 429})).retry_after, None);
}

#[test]
fn only_what_may_pass_is_asked_again() {
    for status in [429, 500, 502, 503, 504] {
        assert!(is_passing(status), "{status}");
    }
    for status in [200, 204, 400, 401, 403, 404, 410, 423, 424, 501] {
        assert!(!is_passing(status), "{status}");
    }
}

#[test]
fn a_question_is_written_as_the_service_wants_it_and_printed_without_its_query() {
    let inner = Inner::get(
        "/users/$count?$filter=mail eq 'x@y.example'".to_owned(),
        Kind::Directory,
    )
    .counting();
    assert_eq!(
        inner.written(3),
        json!({"id": "3", "method": "GET", "url": "/users/$count?$filter=mail eq 'x@y.example'",
            "headers": {"ConsistencyLevel": "eventual"}})
    );
    assert_eq!(format!("{inner:?}"), "GET /users/$count");
    let inner = Inner::post(
        "/drives/d/items/i/extractSensitivityLabels".to_owned(),
        Kind::Many,
    );
    assert_eq!(inner.written(0)["method"], "POST");
    assert!(inner.written(0).get("headers").is_none() && inner.written(0).get("body").is_none());
    assert!(
        unanswered(&inner)
            .to_string()
            .starts_with("POST /drives/…/extractSensitivityLabels: ")
    );
}

#[test]
fn an_answer_tells_what_it_is_without_its_body() {
    let answer = |status, body: Option<&str>| InnerAnswer {
        at: "GET /x".to_owned(),
        status: StatusCode::from_u16(status).unwrap(),
        body: body.unwrap_or_default().to_owned().into(),
    };
    let found = answer(200, Some("{\"@odata.count\":12,\"value\":\"SeCrEt\"}"));
    assert_eq!(found.count(), Some(12));
    assert_eq!(format!("{found:?}"), "GET /x: 200 OK");
    assert!(!found.json::<u32>().unwrap_err().to_string().contains("SeCrEt"));
    assert_eq!(answer(404, Some("{\"@odata.count\":12}")).count(), None);
    assert_eq!(answer(200, Some("{\"@odata.count\":\"12\"}")).count(), None);
    assert_eq!(answer(200, Some("7")).count(), None);
    let empty = answer(204, None);
    assert_eq!((empty.text(), empty.count()), ("", None));
    assert!(empty.json::<Value>().is_err());
    let missing = answer(404, Some("{\"error\":{\"code\":\"itemNotFound\"}}"));
    assert!(missing.told().is("itemnotfound") && errors::is_missing(&missing.refusal()));
}
