//! A log of 100 000 records, spoilt at random places.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::lab::{Lab, present};
use crate::{InclusionProof, KeyChain, Plan, Problem, StoredRecord, Verifier, verify_proof};

const SIZE: u64 = 100_000;
const N_PLACES: usize = 24;

fn numbers(count: usize, below: usize) -> Vec<usize> {
    let mut rng = StdRng::seed_from_u64(24);
    let mut numbers: Vec<usize> = (0..count).map(|_| rng.random_range(0..below)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Spoils record `index` in each way that is found at once.
fn spoil(lab: &Lab, index: usize, before: &Verifier, random: usize) {
    let record = &lab.stored[index];
    let problem = |stored: &StoredRecord<'_>| {
        let finding = before.clone().record(stored).unwrap_err();
        assert_eq!(finding.place, crate::Place::Record(index as u64));
        finding.problem
    };
    let mut content = record.content.clone().into_bytes();
    let place = random % content.len();
    content[place] ^= 1 << (random % 8);
    assert_eq!(problem(&StoredRecord { content: &content, ..StoredRecord::from(record) }), Problem::ContentChanged);
    let next = StoredRecord::from(&lab.stored[index + 1]);
    let found = index as u64 + 1;
    assert_eq!(problem(&next), Problem::Missing { found });
    assert_eq!(problem(&StoredRecord { sequence: index as u64, ..next }), Problem::Displaced { found });
    let copy = StoredRecord { sequence: index as u64, ..StoredRecord::from(&lab.stored[random % index]) };
    assert_eq!(problem(&copy), Problem::Copy { of: (random % index) as u64 });
    let cut = before.clone().finish(|table, key| present(&lab.rows, table, key)).unwrap_err();
    assert_eq!(cut.problem, Problem::Truncated { signed: SIZE, missing: SIZE - index as u64 });
}

#[test]
fn a_large_log_names_the_record_that_was_spoilt() {
    let mut lab = Lab::of(100);
    while lab.frontier.size() < SIZE {
        lab.append_short();
    }
    lab.export_head(1);
    let places = numbers(N_PLACES, lab.stored.len() - 2);
    let mut verifier = lab.verifier();
    for (index, record) in lab.stored.iter().enumerate() {
        if index > 0 && places.contains(&index) {
            spoil(&lab, index, &verifier, index.wrapping_mul(0x9e37_79b9) >> 3);
        }
        verifier.record(&StoredRecord::from(record)).unwrap();
    }
    let summary = verifier.finish(|table, key| present(&lab.rows, table, key)).unwrap();
    assert_eq!((summary.n_records, summary.n_signed, summary.n_rows), (SIZE, SIZE, lab.rows.len()));
    prove_some(&lab, &places);
}

/// Proofs come out of the stored nodes alone.
fn prove_some(lab: &Lab, places: &[usize]) {
    let trusted = super::lab::key(1).public();
    for index in places {
        let path = Plan::inclusion(*index as u64, SIZE).unwrap().resolve(|id| lab.nodes.get(&id).copied()).unwrap();
        let record = crate::Record::decode(lab.stored[*index].content.as_bytes()).unwrap();
        let keys = KeyChain::new(trusted, vec![]);
        let proof = InclusionProof::new(record, path, lab.export.heads[0].clone(), keys).unwrap();
        verify_proof(proof.to_json().unwrap().as_bytes(), &trusted).unwrap();
    }
}
