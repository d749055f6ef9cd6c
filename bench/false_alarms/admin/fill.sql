-- The rows of a site of some years, and the two indexes that its admin log needs and Django does not make:
-- the history of an object, and the recent actions of the person who looks at the front page.
create index on django_admin_log (content_type_id, object_id, action_time);
create index on django_admin_log (user_id, action_time desc);
insert into shop_customer (email, name, joined) select 'c' || i || '@example.org', 'Name ' || i % 5000, now() - (300000 - i) * interval '7 minutes' from generate_series(1, 300000) i;
insert into shop_order (number, customer_id, status, created_at) select 'N' || i, 1 + (power(random(), 2) * 299999)::int, case when i > 995000 then 'pending' when i > 980000 then 'paid' else 'shipped' end, now() - (1000000 - i) * interval '1 minute' from generate_series(1, 1000000) i;
insert into shop_line (order_id, sku, quantity) select i, 'S' || (i * 7 + k * 13) % 40000, 1 + i % 4 from generate_series(1, 1000000) i, generate_series(1, 2) k;
insert into auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) select 'x', false, 'staff' || i, '', '', 's' || i || '@example.org', true, true, now() from generate_series(1, 400) i;
insert into django_session (session_key, session_data, expire_date) select md5(i::text), repeat('x', 200), now() + (i - 100000) * interval '10 seconds' from generate_series(1, 200000) i;
insert into django_admin_log (action_time, object_id, object_repr, action_flag, change_message, content_type_id, user_id) select now() - (500000 - i) * interval '1 minute', (i % 100000)::text, 'N' || i, 2, '[]', (select min(id) from django_content_type), 1 + i % 400 from generate_series(1, 500000) i;
