create extension if not exists btree_gist schema public;
alter table bookings add foreign key (room) references rooms, add constraint bookings_apart exclude using gist (room with =, during with &&) where (status <> 'cancelled');
alter table visits add foreign key (room) references rooms, add constraint visits_apart exclude using gist (room with =, tstzrange(starts_at, ends_at) with &&);
alter table stays add constraint stays_apart exclude using gist (room with =, daterange(first, last, '[]') with &&) where (not gone);
alter table lessons add constraint lessons_room exclude using gist (room with =, during with &&), add constraint lessons_teacher exclude using gist (teacher with =, during with &&);
alter table prices add constraint prices_apart exclude using gist (item with =, shop with =, valid with &&);
alter table numbers add constraint numbers_apart exclude using gist (block with &&);
alter table shifts add constraint shifts_apart exclude using gist (worker with =, on_duty with &&);
alter table packed add constraint packed_apart exclude using gist (slot with &&);
alter table notes add foreign key (k, d) references days;
alter table marks add foreign key (k, d) references days;
alter table items add unique (tenant, number), add unique (tenant, slug);
alter table plans add unique (day, room), add unique (day, teacher), add unique (day, class)
