insert into rooms select i, i % 7 from generate_series(1, 120) i;
insert into bookings select row_number() over (), r, case when random() < 0.2 then 'cancelled' when random() < 0.1 then 'held' else 'ok' end, case when random() < 0.03 then null when random() < 0.02 then 'empty' else tstzrange(s, case when k = 0 then null else s + l end) end from (select r, k, '2025-01-01'::timestamptz - k * interval '2 hours' * (1 + r / 30) + floor(random() * 3) * interval '15 min' as s, (1 + floor(4 * random() ^ 2)) * interval '15 min' as l from generate_series(1, 120) r, generate_series(0, 400 / (1 + r / 30)) k) x;
insert into visits select id, room, coalesce(lower(during), '2024-06-01'::timestamptz + id * interval '1 day' / 100), upper(during) from (select id, room, during from bookings where not isempty(during) order by lower(during)) x where upper(during) is not null;
insert into stays select room, (random() * 500)::int, date '2020-01-01' + k * 3, date '2020-01-01' + k * 3 + (random() * 2)::int, random() < 0.1 from generate_series(1, 50) room, generate_series(0, 300) k;
insert into lessons select 1 + j, 1 + (j * 7 + t) % 90, tsrange(s, s + interval '50 min') from (select t, timestamp '2025-01-01' + t * interval '1 hour' as s from generate_series(0, 299) t) x, generate_series(0, 39) j;
insert into prices select i, s, daterange(date '2015-01-01' + k * 100, case when k < 9 then date '2015-01-01' + (k + 1) * 100 end), i from generate_series(1, 300) i, generate_series(1, 4) s, generate_series(0, 9) k where (i + s + k) % 5 > 0 or k = 9;
insert into numbers select k % 30, int8range(k * 1000, k * 1000 + 1 + (random() * 900)::int) from generate_series(0, 5000) k;
insert into shifts select w, tstzmultirange(tstzrange(s, s + interval '8 hours')) from generate_series(1, 100) w, (select timestamptz '2025-01-01' + k * interval '1 day' as s from generate_series(0, 60) k) x;
insert into leases select '10.0.0.0'::inet + (k * 3), case when random() < 0.5 then now() end from generate_series(0, 5000) k;
insert into cages select c, (array['lion', 'zebra', 'bear'])[1 + c % 3] from generate_series(1, 200) c, generate_series(1, 20);
insert into packed select int4range(k, k + 1) from generate_series(1, 3000) k;
insert into days select k, date '2026-01-01' + d, k * d from generate_series(1, 40) k, generate_series(0, 89) d where (k * d) % 3 < 2;
insert into notes select row_number() over (), k, d, 'note' from days, generate_series(1, 5) where random() < case when d < '2026-02-01' then 0.2 else 0.9 end;
insert into marks select k, d, k from days where d > '2026-01-20' and random() < 0.5;
insert into items select t, n, 'slug-' || (n * 7 + t) % 500, (n * 13) % 400 from generate_series(1, 80) t, generate_series(1, 10 + (400 / t)) n where (t + n) % 3 < 2;
insert into plans select d, r, (r * 7 + d) % 60, (r + d * 3) % 50 from generate_series(1, 400) d, generate_series(1, 40) r where (d + r) % 5 < 3
