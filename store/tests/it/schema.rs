//! Migrations, and what keeps a process from starting on another schema or layout.

use parlance_store::StoreError;

use crate::database::TestDatabase;

#[tokio::test]
async fn a_database_without_tables_says_to_migrate_first() {
    let database = TestDatabase::empty().await;
    let error = database.store().await.check_schema().await.unwrap_err();
    assert!(matches!(error, StoreError::Schema(_)));
    assert!(error.to_string().ends_with("run `worker migrate` first"), "{error}");
}

#[tokio::test]
async fn migrations_can_be_run_again_and_at_once() {
    let database = TestDatabase::empty().await;
    let store = database.store().await;
    let (one, two) = tokio::join!(store.migrate(), store.migrate());
    one.unwrap();
    two.unwrap();
    store.migrate().await.unwrap();
    store.check_schema().await.unwrap();
}

#[tokio::test]
async fn the_first_layout_counts() {
    let (_database, store) = TestDatabase::migrated().await;
    store.check_layout("v1 2 a,b").await.unwrap();
    store.check_layout("v1 2 a,b").await.unwrap();
    let error = store.check_layout("v1 3 a,b,c").await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Layout { configured, recorded } if configured == "v1 3 a,b,c" && recorded == "v1 2 a,b"),
        "{error}"
    );
}
