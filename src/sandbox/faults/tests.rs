//! Parsing of names, and faults determined by seed and subject.

use super::*;
use crate::sandbox::endpoint::Endpoint;

const DETAIL: Place = Place {
    endpoint: Endpoint::TaskDetail,
    page: 0,
};

#[test]
fn faults_are_read_from_text() {
    let faults: Faults = "http_503, reset,truncated:0.3".parse().expect("valid");
    let kinds = [FaultKind::Http503, FaultKind::Reset, FaultKind::Truncated];
    assert_eq!(
        faults,
        Faults {
            rate: 0.3,
            kinds: kinds.to_vec(),
            max_in_a_row: 3,
            quirks: Vec::new(),
        }
    );
    assert_eq!("all".parse::<Faults>().expect("valid"), Faults::all(0.2));
    assert!("none".parse::<Faults>().expect("valid").kinds.is_empty());
}

#[test]
fn an_unknown_kind_is_answered_with_the_known_ones() {
    let error = "http_503,hiccup"
        .parse::<Faults>()
        .expect_err("no such kind");
    insta::assert_snapshot!("an_unknown_kind", error);
    let error = "all:20%".parse::<Faults>().expect_err("no share");
    insta::assert_snapshot!(error, @r#"read the faults: the rate "20%" is not a number from 0 to 1, as in all:0.2"#);
}

#[test]
fn no_subject_fails_more_often_in_a_row_than_allowed() {
    let mut log = FaultLog::new(Faults::all(1.0), 7);
    for _ in 0..20 {
        let row: Vec<bool> = (0..4).map(|_| log.next(DETAIL, "a").is_some()).collect();
        assert_eq!(row, [true, true, true, false]);
    }
}

#[test]
fn the_order_of_other_subjects_changes_nothing() {
    let run = |between: usize| {
        let mut log = FaultLog::new(Faults::all(0.5), 7);
        let mut seen = Vec::new();
        for _ in 0..50 {
            seen.push(log.next(DETAIL, "a"));
            for _ in 0..between {
                log.next(DETAIL, "b");
            }
        }
        seen
    };
    assert_eq!(run(0), run(3));
}

#[test]
fn about_the_asked_share_of_requests_fails() {
    let mut log = FaultLog::new(Faults::all(0.2), 7);
    let failed = (0..5000)
        .filter(|n| log.next(DETAIL, &format!("task {n}")).is_some())
        .count();
    assert!((900..1100).contains(&failed), "{failed}");
}

#[test]
fn kinds_happen_only_where_they_make_sense() {
    let mut log = FaultLog::new("expired_token,repeated_page:1".parse().expect("valid"), 7);
    assert_eq!(
        log.next(
            Place {
                endpoint: Endpoint::Auth,
                page: 0
            },
            ""
        ),
        None
    );
    let page = Place {
        endpoint: Endpoint::ListTasks,
        page: 1,
    };
    let first = log.next(page, "w").expect("a fault");
    assert_eq!(first.kind, FaultKind::ExpiredToken);
    assert_eq!(log.next(page, "w"), None, "no token expires twice in a row");
}

fn quirks(text: &str) -> Vec<(&'static str, f64, i64)> {
    let faults: Faults = text.parse().expect("valid");
    let quirk = |quirk: &Quirk| (quirk.kind.name(), quirk.share, quirk.number);
    faults.quirks.iter().map(quirk).collect()
}

#[test]
fn quirks_are_read_beside_faults() {
    let faults: Faults = "total:off=-2,all:0.05,gateway:404,item:no_id,item:twice:0.5"
        .parse()
        .expect("valid");
    let all = FaultFamily::Request.kinds().count();
    assert_eq!((faults.rate, faults.kinds.len()), (0.05, all + 1));
    assert_eq!(
        quirks("total:off=-2,all:0.05,gateway:404,item:no_id,item:twice:0.5"),
        [
            ("total:off", 1.0, -2),
            ("item:no_id", 0.25, 0),
            ("item:twice", 0.25, 0)
        ],
        "a share counts for the names of the family before it, together"
    );
    assert_eq!(quirks("page:cap"), [("page:cap", 1.0, 3)]);
    assert_eq!(quirks("Date:behind=30"), [("date:behind", 1.0, 30)]);
    assert_eq!(quirks("total:minus-one:0.5"), [("total:minus_one", 0.5, 0)]);
    assert_eq!(quirks("all,gateway,header:space"), []);
}

#[test]
fn a_family_stands_for_all_its_kinds() {
    let all = quirks("workflow:0.5");
    assert_eq!(
        all,
        [("workflow:gone", 0.25, 0), ("workflow:fails", 0.25, 0)]
    );
    let of = |family: &str| {
        let names = FaultKind::ALL.iter().map(|kind| kind.name());
        names.filter(|name| name.starts_with(family)).count()
    };
    assert_eq!(quirks("total").len(), of("total:"));
    let gateway: Faults = "gateway:0.1".parse().expect("valid");
    assert_eq!((gateway.kinds.len(), gateway.rate), (of("gateway:"), 0.1));
}

#[rstest::rstest]
#[case(
    "total:hiccup",
    "\"total:hiccup\" is not one of total:page, total:first_page,"
)]
#[case("total:2", "the rate \"2\"")]
#[case("item:no_id:x", "the rate \"x\"")]
#[case("page:cap=0", "page:cap does not take the number \"0\"")]
#[case("item:no_id=4", "item:no_id does not take the number \"4\"")]
#[case("total:off=many", "total:off does not take the number \"many\"")]
#[case("http_503:0.1,reset:0.2", "these are two: 0.1 and 0.2")]
#[case("total:off:0.1:0.2", "\"total:off:0.1:0.2\" is not one of")]
fn what_makes_no_sense_is_said(#[case] text: &str, #[case] expected: &str) {
    let error = text.parse::<Faults>().expect_err("no faults").to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn names_are_unique_and_begin_with_their_family() {
    let mut names: Vec<&str> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
    for kind in FaultKind::ALL {
        let family = kind.family();
        let prefix = kind
            .name()
            .split_once(':')
            .map_or("all", |(prefix, _)| prefix);
        assert_eq!(prefix, family.name());
        assert!(FaultFamily::ALL.contains(&family));
        assert_eq!(kind.name().parse::<Faults>().map(drop), Ok(()));
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FaultKind::ALL.len());
}

#[test]
fn a_quirk_stays_and_is_one_of_its_family() {
    let faults: Faults = "total:page,total:float:0.5,item:0.3"
        .parse()
        .expect("valid");
    let quirks = Quirks::new(&faults, 7);
    let of = |family| -> Vec<Option<Quirk>> {
        (0..2000)
            .map(|subject| quirks.of(family, subject))
            .collect()
    };
    let totals = of(FaultFamily::Total);
    assert_eq!(totals, of(FaultFamily::Total));
    for kind in [FaultKind::TotalPage, FaultKind::TotalFloat] {
        let found = totals.iter().flatten().filter(|quirk| quirk.kind == kind);
        let found = found.count();
        assert!((420..580).contains(&found), "{kind}: {found}");
    }
    let items = of(FaultFamily::Item).into_iter().flatten().count();
    assert!((540..660).contains(&items), "{items}");
    assert_eq!(of(FaultFamily::Status).into_iter().flatten().count(), 0);
    let always = Quirks::new(&"total".parse().expect("valid"), 7);
    assert!((0..100).all(|subject| always.of(FaultFamily::Total, subject).is_some()));
}
