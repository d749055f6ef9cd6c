create table rooms (id int primary key, floor int);
create table bookings (id bigint primary key, room int not null, status text not null, during tstzrange);
create table visits (id bigint primary key, room int not null, starts_at timestamptz not null, ends_at timestamptz, unique (room, starts_at), check (starts_at < ends_at));
create table stays (room int not null, guest int not null, first date not null, last date not null, gone boolean not null);
create table lessons (room int not null, teacher int not null, during tsrange not null);
create table prices (item int not null, shop int not null, valid daterange not null, price numeric(10,2));
create table numbers (owner int not null, block int8range not null);
create table shifts (worker int not null, on_duty tstzmultirange);
create table leases (address inet not null, ended timestamptz);
create table cages (cage int not null, animal text not null);
create table packed (slot int4range not null);
create table days (k int, d date, v int, primary key (k, d)) partition by range (d);
create table days_1 partition of days for values from ('2026-01-01') to ('2026-02-01');
create table days_2 partition of days for values from ('2026-02-01') to ('2026-03-01');
create table days_3 partition of days for values from ('2026-03-01') to ('2026-04-01') partition by list (k);
create table days_3_odd partition of days_3 for values in (1, 3, 5, 7, 9, 11, 13, 15, 17, 19);
create table days_3_even partition of days_3 default;
create table notes (id int primary key, k int, d date, says text);
create table marks (k int, d date, n int, primary key (k, d))
