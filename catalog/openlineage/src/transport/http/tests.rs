use super::*;

fn transport(settings: HttpSettings) -> HttpTransport {
    HttpTransport::new("http://localhost:1/api", settings, None).unwrap()
}

#[test]
fn each_class_of_status_has_its_verdict() {
    let sorted = |wanted: Verdict| -> Vec<u16> {
        let is_wanted = |code: &u16| StatusCode::from_u16(*code).is_ok_and(|status| verdict(status) == wanted);
        (100..600).filter(is_wanted).collect()
    };
    assert_eq!(sorted(Verdict::Delivered), (200..300).collect::<Vec<_>>());
    assert_eq!(sorted(Verdict::Refused), [400, 409, 413, 422]);
    assert_eq!(sorted(Verdict::Unavailable), [408, 425, 429].into_iter().chain(500..600).collect::<Vec<_>>());
    assert!([301, 302, 307, 401, 403, 404, 405].iter().all(|code| sorted(Verdict::Misconfigured).contains(code)));
}

#[test]
fn pauses_double_up_to_the_longest() {
    let settings = HttpSettings { first_pause_ms: 200, longest_pause_ms: 1000, ..HttpSettings::default() };
    let transport = transport(settings);
    let ms = |attempt, asked| transport.pause(attempt, asked).as_millis();
    assert_eq!([1, 2, 3, 4, 5].map(|attempt| ms(attempt, None)), [200, 400, 800, 1000, 1000]);
    assert_eq!(ms(1, Some(Duration::from_millis(700))), 700);
    assert_eq!(ms(1, Some(Duration::from_secs(3600))), 1000);
    assert_eq!(ms(u32::MAX, None), 1000);
}

#[test]
fn urls_that_leak_or_are_none_are_refused() {
    let refused = |url: &str, token: Option<&str>| {
        let token = token.map(|token| Token::new(token).unwrap());
        HttpTransport::new(url, HttpSettings::default(), token).unwrap_err().to_string()
    };
    assert!(refused("marquez", None).contains("is no URL"));
    assert!(refused("file:///etc/passwd", None).contains("must begin with https://"));
    let password = refused("https://user:hunter2@marquez/api", None);
    assert!(password.contains("token in a file") && !password.contains("hunter2"), "{password}");
    assert!(refused("http://marquez:5000/api", Some("s3cret")).contains("must begin with https://"));
}

#[test]
fn a_token_may_go_encrypted_or_within_this_machine() {
    for url in ["https://marquez/api", "http://localhost:5000/api", "http://127.0.0.1:5000", "http://[::1]:5000"] {
        let token = Token::new("s3cret").unwrap();
        let transport = HttpTransport::new(url, HttpSettings::default(), Some(token)).unwrap();
        assert!(!format!("{transport:?}").contains("s3cret"));
    }
}

#[test]
fn settings_are_strict() {
    let settings: HttpSettings = serde_json::from_str(r#"{"timeout_ms": 5}"#).unwrap();
    assert_eq!(settings, HttpSettings { timeout_ms: 5, ..HttpSettings::default() });
    assert!(serde_json::from_str::<HttpSettings>(r#"{"timeout": 5}"#).is_err());
}
