//! What can go wrong between Parlance and Postgres, and what that means for the caller.

use std::error::Error as _;

/// A failed exchange with Postgres.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Postgres is away, is overloaded, or gave this transaction up: the same can succeed later.
    #[error("postgres is not available: {0}")]
    Unavailable(String),
    /// It took longer than the deadline: the same can succeed later, and less of it sooner.
    #[error("postgres did not answer in time: {0}")]
    TimedOut(String),
    /// Postgres does not take these values. The same will fail for ever; other values will not.
    #[error("postgres refused the values: {message} ({sqlstate})")]
    Data {
        /// The SQLSTATE, or `-----` when the driver refused before Postgres saw it.
        sqlstate: String,
        /// What Postgres said.
        message: String,
    },
    /// Postgres does not take the statement, whatever its values: a permission or a table is missing. Somebody
    /// has to put it right.
    #[error("postgres refused the statement: {message} ({sqlstate})")]
    Refused {
        /// The SQLSTATE.
        sqlstate: String,
        /// What Postgres said.
        message: String,
    },
    /// A row is not what this version reads.
    #[error("postgres holds something unexpected: {0}")]
    Unexpected(String),
    /// The schema is not the one that this version needs.
    #[error("{0}")]
    Schema(String),
    /// This process was configured for another layout of the partitions than the one that is recorded.
    #[error("this process is configured for {configured:?}, but {recorded:?} is recorded in postgres")]
    Layout {
        /// What this process was told.
        configured: String,
        /// What the first process recorded.
        recorded: String,
    },
    /// The URL is none.
    #[error("the URL of postgres is malformed")]
    Url,
}

impl StoreError {
    /// Whether the same can succeed later without anybody doing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, StoreError::Unavailable(_) | StoreError::TimedOut(_))
    }

    /// Whether the values are at fault, so that the same without them can succeed.
    pub fn is_data(&self) -> bool {
        matches!(self, StoreError::Data { .. })
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match error {
            E::Database(error) => {
                let sqlstate = error.code().unwrap_or_default().into_owned();
                // Only the message: the details quote rows.
                of_sqlstate(sqlstate, error.message().to_owned())
            }
            E::Encode(error) => {
                StoreError::Data { sqlstate: String::from("-----"), message: error.to_string() }
            }
            error @ (E::ColumnDecode { .. }
            | E::Decode(_)
            | E::RowNotFound
            | E::TypeNotFound { .. }
            | E::ColumnIndexOutOfBounds { .. }
            | E::ColumnNotFound(_)) => StoreError::Unexpected(chain(&error)),
            error => StoreError::Unavailable(chain(&error)),
        }
    }
}

/// The classes of PostgreSQL's appendix "Error Codes".
fn of_sqlstate(sqlstate: String, message: String) -> StoreError {
    match sqlstate.get(..2).unwrap_or_default() {
        // The statement was cancelled, as the statement timeout does.
        _ if sqlstate == "57014" => StoreError::TimedOut(format!("{message} ({sqlstate})")),
        // Connections, rolled back transactions, resources, intervention (shutdown, time over), and the system's I/O.
        "08" | "40" | "53" | "57" | "58" => StoreError::Unavailable(format!("{message} ({sqlstate})")),
        // A lock was not to be had, or the server was demoted to a standby.
        _ if sqlstate == "55P03" || sqlstate == "25006" => {
            StoreError::Unavailable(format!("{message} ({sqlstate})"))
        }
        // Two of one row in a statement, values out of range or of the wrong form, constraints, too large a value.
        "21" | "22" | "23" | "54" => StoreError::Data { sqlstate, message },
        _ => StoreError::Refused { sqlstate, message },
    }
}

fn chain(error: &sqlx::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_of_the_values_are_blamed_on_the_values() {
        let of = |sqlstate: &str| of_sqlstate(sqlstate.to_owned(), String::new());
        for retried in ["08006", "40001", "40P01", "53300", "57P01", "57014", "58030", "25006", "55P03"] {
            assert!(of(retried).is_retryable(), "{retried}");
        }
        for data in ["21000", "22021", "22P05", "23502", "54000"] {
            assert!(of(data).is_data(), "{data}");
        }
        for other in ["42P01", "42501", "28P01", "3D000", "XX001", ""] {
            assert!(matches!(of(other), StoreError::Refused { .. }), "{other}");
        }
    }
}
