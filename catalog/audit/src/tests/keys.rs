//! Keys, their files and their rotations.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::lab::{LOG, key};
use crate::{AuditError, KeyChain, KeyRotation, LogId, LogKey, PublicKey, Signature};

#[test]
fn signatures_are_those_of_rfc_8032() {
    // RFC 8032, section 7.1, test 2.
    let seed = hex::decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
    let key = LogKey::from_seed(&seed.try_into().unwrap());
    assert_eq!(key.public().to_string(), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    assert_eq!(
        key.sign(&[0x72]).to_string(),
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    );
    assert!(key.public().verifies(&[0x72], &key.sign(&[0x72])));
}

#[test]
fn only_the_message_and_key_verify() {
    let signature = key(1).sign(b"message");
    assert!(!key(1).public().verifies(b"massage", &signature));
    assert!(!key(2).public().verifies(b"message", &signature));
    for place in 0..64 {
        let mut bytes = *signature.as_bytes();
        bytes[place] ^= 1;
        assert!(!key(1).public().verifies(b"message", &Signature::from_bytes(bytes)), "byte {place}");
    }
    // Keys that no one holds: of small order, or not a point at all.
    for bytes in [
        [0; 32],
        {
            let mut one = [0; 32];
            one[0] = 1;
            one
        },
        [255; 32],
    ] {
        assert!(!PublicKey::from_bytes(bytes).verifies(b"message", &Signature::from_bytes([0; 64])));
    }
}

#[test]
fn generated_keys_and_logs_differ() {
    assert_ne!(LogKey::generate().unwrap().public(), LogKey::generate().unwrap().public());
    assert_ne!(LogId::generate().unwrap(), LogId::generate().unwrap());
}

#[test]
fn a_key_prints_no_secret() {
    let printed = format!("{:?}", key(1));
    assert_eq!(printed, format!("LogKey({}, [redacted])", key(1).id()));
    assert!(!printed.contains("0101"));
}

#[test]
fn a_key_file_comes_back_and_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.key");
    key(3).create_file(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(LogKey::load_file(&path).unwrap().public(), key(3).public());
    let before = fs::read(&path).unwrap();
    assert!(matches!(key(4).create_file(&path), Err(AuditError::KeyExists { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_key_file_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.key");
    key(3).create_file(&path).unwrap();
    for mode in [0o640, 0o604, 0o660, 0o622, 0o601, 0o644] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = LogKey::load_file(&path).unwrap_err();
        assert_eq!(error.code(), "CW0703");
        let message = error.to_string();
        assert!(message.contains(&format!("mode {mode:04o}")), "{message}");
        assert!(message.contains(&format!("chmod 600 {}", path.display())), "{message}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    LogKey::load_file(&path).unwrap();
}

#[test]
fn a_damaged_key_file_is_refused_and_shows_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.key");
    key(3).create_file(&path).unwrap();
    let good = fs::read(&path).unwrap();
    for place in 0..good.len() {
        let mut bytes = good.clone();
        bytes[place] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let error = LogKey::load_file(&path).unwrap_err();
        assert_eq!(error.code(), "CW0704", "byte {place}");
        assert!(!error.to_string().contains("0303"), "byte {place}");
    }
    assert!(matches!(LogKey::load_file(&folder.path().join("none")), Err(AuditError::KeyFile { .. })));
}

#[test]
fn a_rotation_is_signed_by_the_old_key_for_one_log() {
    let rotation = KeyRotation::sign(LOG, &key(1), &key(2).public()).unwrap();
    rotation.verify(&LOG, &key(1).public()).unwrap();
    assert!(rotation.verify(&LOG, &key(2).public()).is_err());
    assert!(rotation.verify(&LogId::from_bytes([8; 16]), &key(1).public()).is_err());
    assert!(KeyRotation::sign(LOG, &key(1), &key(1).public()).is_err());
}

#[test]
fn a_chain_leads_from_the_first_key_to_the_last() {
    let one_two = KeyRotation::sign(LOG, &key(1), &key(2).public()).unwrap();
    let two_three = KeyRotation::sign(LOG, &key(2), &key(3).public()).unwrap();
    let three_one = KeyRotation::sign(LOG, &key(3), &key(1).public()).unwrap();
    let last = |rotations: &[&KeyRotation]| {
        KeyChain::new(key(1).public(), rotations.iter().copied().cloned().collect()).last(&LOG)
    };
    assert_eq!(last(&[]).unwrap(), key(1).public());
    assert_eq!(last(&[&one_two, &two_three]).unwrap(), key(3).public());
    assert!(last(&[&two_three]).is_err());
    assert!(last(&[&one_two, &one_two]).is_err());
    assert!(last(&[&two_three, &one_two]).is_err());
    let message = last(&[&one_two, &two_three, &three_one]).unwrap_err().to_string();
    assert!(message.contains("in force before"), "{message}");
}
