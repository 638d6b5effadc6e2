use super::*;

fn growing(query: &str, key: Option<&str>) -> Result<Growing> {
    let sql = format!("CREATE OR REPLACE TABLE a.t AS {query}");
    let parsed = parse_one(&sql, &Limits::default())?;
    read(parsed, key)
}

fn reason(query: &str, key: Option<&str>) -> String {
    let error = growing(query, key).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    error.to_string()
}

fn said(query: &str, key: Option<&str>) -> String {
    let pins = [("a", "t", 7), ("b", "sites", 2)];
    let pins = pins.into_iter().map(|(schema, table, version)| (TableName::new(schema, table), version)).collect();
    growing(query, key).unwrap().since(3, 5, &pins).unwrap()
}

#[test]
fn rows_that_come_from_rows_are_added() {
    assert_eq!(
        said("SELECT day, n + :least AS m FROM a.visits WHERE n > :least", None),
        "INSERT INTO \"a\".\"t\" SELECT day, n + :least AS m FROM (SELECT * FROM added('a.visits', since => 3, until => 5)) \
         AS \"visits\" WHERE n > :least"
    );
    let joined = said("SELECT v.*, s.name FROM a.visits AS v LEFT JOIN b.sites s ON s.id = v.site", None);
    assert!(
        joined.contains("AS v LEFT JOIN (SELECT * FROM as_of('b.sites', version => 2)) s")
            || joined.contains("as_of('b.sites', version => 2) AS s"),
        "{joined}"
    );
}

#[test]
fn groups_of_a_key_are_made_anew() {
    let sql = said("SELECT day, count(*) AS n FROM a.visits GROUP BY day HAVING count(*) > 1", Some("day"));
    assert!(
        sql.starts_with("CREATE OR REPLACE TABLE \"a\".\"t\" AS SELECT kept.* FROM as_of('a.t', version => 7) AS kept"),
        "{sql}"
    );
    assert!(sql.contains("UNION ALL SELECT day, count(*) AS n FROM (SELECT whole.*"), "{sql}");
    assert!(growing("SELECT day, sum(n) AS n FROM a.visits GROUP BY 1", Some("day")).is_ok());
    assert!(growing("SELECT DISTINCT day, n FROM a.visits", Some("day")).is_ok());
    assert!(growing("SELECT * FROM a.visits WHERE n > 0", Some("day")).is_ok());
}

#[test]
fn what_was_said_is_known_again() {
    let query = "SELECT v.day, s.name FROM a.visits v JOIN b.sites s ON s.id = v.site";
    let follows = growing(query, None).unwrap();
    assert!(follows.has_said(&said(query, None)));
    assert!(follows.has_said(&format!("CREATE OR REPLACE TABLE a.t AS {query}")));
    assert!(!follows.has_said(&said("SELECT v.day, s.id FROM a.visits v JOIN b.sites s ON s.id = v.site", None)));
    assert!(!follows.has_said("INSERT INTO a.t SELECT 1"));
    assert!(!follows.has_said("not SQL"));
    let keyed = "SELECT day, count(*) AS n FROM a.visits GROUP BY day";
    assert!(growing(keyed, Some("day")).unwrap().has_said(&said(keyed, Some("day"))));
}

#[test]
fn what_does_not_follow_is_refused_with_the_reason() {
    for (query, expected) in [
        ("SELECT count(*) AS n FROM a.v", "each row comes from one row"),
        ("SELECT DISTINCT day FROM a.v", "each row comes from one row"),
        ("SELECT day FROM a.v GROUP BY day", "each row comes from one row"),
        ("SELECT day FROM a.v ORDER BY day", "ORDER BY"),
        ("SELECT day FROM a.v LIMIT 5", "LIMIT"),
        ("WITH v AS (SELECT 1) SELECT * FROM v", "WITH"),
        ("SELECT day FROM a.v UNION ALL SELECT day FROM a.w", "one SELECT"),
        ("SELECT row_number() OVER (ORDER BY day) AS r FROM a.v", "window"),
        ("SELECT day FROM a.v WHERE n IN (SELECT n FROM a.w)", "subqueries"),
        ("SELECT (SELECT max(n) FROM a.w) AS m FROM a.v", "subqueries"),
        ("SELECT day, now() AS at FROM a.v", "now()"),
        ("SELECT v.day FROM a.v AS v JOIN a.v AS w ON v.n = w.n", "is read once"),
        ("SELECT v.day FROM a.v AS v RIGHT JOIN a.w AS w ON v.n = w.n", "LEFT JOIN"),
        ("SELECT v.day FROM a.v AS v FULL JOIN a.w AS w ON v.n = w.n", "LEFT JOIN"),
        ("SELECT day FROM a.t", "is not read by the statement"),
        ("SELECT * FROM read_csv('x.csv')", "no files"),
        ("SELECT * FROM as_of('a.v', version => 1)", "no files"),
        ("SELECT a.v.day FROM a.v", "without a schema"),
    ] {
        let reason = reason(query, None);
        assert!(reason.contains(expected), "{query}: {reason}");
    }
    for (query, expected) in [
        ("SELECT count(*) AS n FROM a.v", "holds the key"),
        ("SELECT day, count(*) AS n FROM a.v GROUP BY site, day + 1", "grouped by `day`"),
        ("SELECT day + 1 AS day, count(*) AS n FROM a.v GROUP BY day", "holds the key"),
        ("SELECT day, count(*) AS n FROM a.v GROUP BY ROLLUP (day)", "grouped by"),
        ("SELECT day AS d, count(*) AS n FROM a.v GROUP BY day", "holds the key"),
        ("SELECT day, s.x FROM a.v JOIN b.sites s ON s.id = v.site", "`v.day`"),
        ("SELECT day, max(n) AS n FROM a.v", "grouped by"),
    ] {
        let reason = reason(query, Some("day"));
        assert!(reason.contains(expected), "{query}: {reason}");
    }
    let insert = parse_one("INSERT INTO a.t SELECT day FROM a.v", &Limits::default()).unwrap();
    assert!(read(insert, None).unwrap_err().to_string().contains("CREATE OR REPLACE TABLE"));
}
