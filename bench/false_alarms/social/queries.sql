-- name: home_timeline
select p.id, p.body, p.created_at, a.username, a.display_name from posts p join accounts a on a.id = p.account_id where p.id = any($1::bigint[]) and p.deleted_at is null;
-- name: account_timeline
select id, body, created_at from posts where account_id = $1 and deleted_at is null and id < $2 order by id desc limit 20;
-- name: public_timeline
select p.id, p.body, a.username from posts p join accounts a on a.id = p.account_id where p.visibility = 0 and p.deleted_at is null and p.in_reply_to_id is null and p.id < $1 order by p.id desc limit 20;
-- name: post
select * from posts where id = $1 and deleted_at is null;
-- name: replies
select id, account_id, body, created_at from posts where in_reply_to_id = $1 and deleted_at is null order by id limit 60;
-- name: ancestors
with recursive up(id, in_reply_to_id, depth) as (select id, in_reply_to_id, 1 from posts where id = $1 union all select p.id, p.in_reply_to_id, up.depth + 1 from up join posts p on p.id = up.in_reply_to_id where up.depth < 40) select id from up order by depth desc limit 40;
-- name: new_post
insert into posts (account_id, in_reply_to_id, visibility, language, body, created_at) values ($1, $2, $3, $4, $5, now()) returning id;
-- name: delete_post
update posts set deleted_at = now() where id = $1 and account_id = $2;
-- name: edit_post
update posts set body = $1, edited_at = now() where id = $2;
-- name: reblogged_by_me
select id, reblog_of_id from posts where account_id = $1 and reblog_of_id = any($2::bigint[]);
-- name: account_by_name
select * from accounts where lower(username) = lower($1) and coalesce(domain_id, 0) = $2;
-- name: account
select * from accounts where id = $1;
-- name: accounts_of
select id, username, display_name, domain_id from accounts where id = any($1::bigint[]);
-- name: user_by_email
select u.*, a.username from users u join accounts a on a.id = u.account_id where lower(u.email) = lower($1);
-- name: session
select s.id, s.user_id, u.account_id from sessions s join users u on u.id = s.user_id where s.token = $1;
-- name: touch_session
update sessions set updated_at = now(), ip = $1 where token = $2;
-- name: seen
update users set last_seen_at = now() where id = $1;
-- name: active_users
select account_id from users where confirmed_at is not null and last_seen_at > now() - interval '3 days' order by last_seen_at desc limit 100;
-- name: follow
insert into follows (account_id, target_id, created_at) values ($1, $2, now()) on conflict (account_id, target_id) do update set show_reblogs = excluded.show_reblogs;
-- name: unfollow
delete from follows where account_id = $1 and target_id = $2;
-- name: following
select a.id, a.username, a.display_name from follows f join accounts a on a.id = f.target_id where f.account_id = $1 and f.target_id > $2 order by f.target_id limit 40;
-- name: followers
select a.id, a.username, a.display_name from follows f join accounts a on a.id = f.account_id where f.target_id = $1 and f.account_id > $2 order by f.account_id limit 40;
-- name: is_following
select exists (select from follows where account_id = $1 and target_id = $2);
-- name: relationships
select target_id, show_reblogs from follows where account_id = $1 and target_id = any($2::bigint[]);
-- name: blocked
select target_id from blocks where account_id = $1 and target_id = any($2::bigint[]);
-- name: favourite
insert into favourites (account_id, post_id, created_at) values ($1, $2, now()) on conflict do nothing;
-- name: unfavourite
delete from favourites where account_id = $1 and post_id = $2;
-- name: favourites_of_account
select f.id, p.id, p.body from favourites f join posts p on p.id = f.post_id where f.account_id = $1 and f.id < $2 and p.deleted_at is null order by f.id desc limit 20;
-- name: favourited_by
select a.id, a.username from favourites f join accounts a on a.id = f.account_id where f.post_id = $1 order by f.account_id limit 40;
-- name: counts
select count(*) from favourites where post_id = $1;
-- name: mentions_of_post
select m.account_id, a.username, a.domain_id from mentions m join accounts a on a.id = m.account_id where m.post_id = $1;
-- name: mentions_of_posts
select post_id, account_id from mentions where post_id = any($1::bigint[]);
-- name: tag
select id, name, listable from tags where lower(name) = lower($1);
-- name: tag_search
select id, name from tags where lower(name) like 'tag12%' order by lower(name) limit 20;
-- name: tag_timeline
select p.id, p.body from posts_tags t join posts p on p.id = t.post_id where t.tag_id = $1 and t.post_id < $2 and p.visibility = 0 and p.deleted_at is null order by t.post_id desc limit 20;
-- name: tags_of_posts
select t.post_id, g.name from posts_tags t join tags g on g.id = t.tag_id where t.post_id = any($1::bigint[]);
-- name: media_of_posts
select post_id, id, kind, remote_url from media where post_id = any($1::bigint[]);
-- name: media_of_account
select id, post_id, remote_url from media where account_id = $1 and post_id < $2 order by post_id desc limit 20;
-- name: notifications
select n.id, n.kind, n.created_at, a.username, n.post_id from notifications n join accounts a on a.id = n.from_account_id where n.account_id = $1 and n.id < $2 order by n.id desc limit 15;
-- name: unread
select count(*) from notifications where account_id = $1 and read_at is null;
-- name: mark_read
update notifications set read_at = now() where account_id = $1 and read_at is null and id <= $2;
-- name: notify
insert into notifications (account_id, from_account_id, kind, post_id, created_at) values ($1, $2, $3, $4, now());
-- name: next_job
update jobs set state = 'running', attempts = attempts + 1 where id = (select id from jobs where queue = $1 and state = 'pending' and run_at <= now() order by run_at, id for update skip locked limit 1) returning *;
-- name: enqueue
insert into jobs (queue, state, run_at, payload) values ($1, 'pending', $2, $3);
-- name: finish_job
update jobs set state = 'done' where id = $1;
-- name: audit
insert into audits (account_id, action, target, created_at) values ($1, $2, $3, now());
-- name: audits_of_account
select action, target, created_at from audits where account_id = $1 and created_at > now() - interval '30 days' order by created_at desc limit 50;
-- name: domain
select id, blocked from domains where name = $1;
-- name: domains
select id, name from domains where blocked order by name;
-- name: delete_post_for_good
delete from posts where id = $1;
-- name: delete_session
delete from sessions where user_id = $1;
-- name: thread_participants
select distinct a.id, a.username from posts p join accounts a on a.id = p.account_id where p.in_reply_to_id = $1;
-- name: suggestions
select f2.target_id, count(*) from follows f1 join follows f2 on f2.account_id = f1.target_id where f1.account_id = $1 and not exists (select from follows x where x.account_id = f1.account_id and x.target_id = f2.target_id) group by f2.target_id order by count(*) desc limit 20;
-- name: posts_count
select count(*) from posts where account_id = $1 and deleted_at is null;
-- name: update_account
update accounts set display_name = $1, note = $2, updated_at = now() where id = $3;
-- name: account_and_user
select a.*, u.email, u.locale, u.settings from accounts a left join users u on u.account_id = a.id where a.id = $1;
