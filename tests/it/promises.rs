//! The contract: one macro that makes a test of each promise on each database.

/// Makes tests named `PROMISE::DATABASE`. Each promise is a function of an
/// [`Engine`](crate::databases::Engine); `async` stands before promises that are `async fn`.
///
/// ```text
/// promises! { on all: every_object_is_loaded … }
/// promises! { async on everywhere: a_run_is_recorded … }
/// promises! { on servers: a_slow_server_is_waited_for … }
/// promises! { async on [mysql mariadb]: a_row_just_below_the_packet_passes … }
/// ```
macro_rules! promises {
    (on $databases:tt: $($promise:ident)+) => {
        $($crate::promises::promises! { @promise [] $promise $databases })+
    };
    (async on $databases:tt: $($promise:ident)+) => {
        $($crate::promises::promises! { @promise [async] $promise $databases })+
    };
    (@promise $kind:tt $promise:ident all) => {
        $crate::promises::promises! { @promise $kind $promise [sqlite postgres mysql mariadb] }
    };
    // The databases and the store in memory, for promises that need no SQL.
    (@promise $kind:tt $promise:ident everywhere) => {
        $crate::promises::promises! {
            @promise $kind $promise [memory sqlite postgres mysql mariadb]
        }
    };
    (@promise $kind:tt $promise:ident servers) => {
        $crate::promises::promises! { @promise $kind $promise [postgres mysql mariadb] }
    };
    (@promise $kind:tt $promise:ident [$($database:ident)+]) => {
        mod $promise {
            $($crate::promises::promises! { @test $kind $promise $database })+
        }
    };
    (@test [] $promise:ident $database:ident) => {
        #[test]
        fn $database() {
            super::$promise($crate::promises::promises! { @engine $database });
        }
    };
    (@test [async] $promise:ident $database:ident) => {
        #[tokio::test]
        async fn $database() {
            super::$promise($crate::promises::promises! { @engine $database }).await;
        }
    };
    (@engine memory) => {
        $crate::sinks::backend::Memory
    };
    (@engine sqlite) => {
        $crate::databases::Engine::Sqlite
    };
    (@engine postgres) => {
        $crate::databases::Engine::Postgres
    };
    (@engine mysql) => {
        $crate::databases::Engine::Mysql
    };
    (@engine mariadb) => {
        $crate::databases::Engine::Mariadb
    };
}
pub(crate) use promises;
