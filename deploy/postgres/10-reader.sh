#!/bin/sh
# Once, when the database is made: a user for Grafana that may read and nothing else.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set password="$(cat /run/secrets/reader_password)" <<'SQL'
create role kilowatch_reader login password :'password';
alter role kilowatch_reader set default_transaction_read_only = on;
alter role kilowatch_reader set statement_timeout = '30s';
grant usage on schema public to kilowatch_reader;
alter default privileges in schema public grant select on tables to kilowatch_reader;
SQL
