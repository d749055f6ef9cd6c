const { test, before, after } = require("node:test");
const assert = require("node:assert");
const knex = require("knex")(require("./knexfile"));

before(async () => {
  await knex.migrate.latest();
  const [venue] = await knex("venues").insert({ city: "Ulm" }).returning("id");
  for (let n = 0; n < 12; n++) await knex("tickets").insert({ venue_id: venue.id, seat: { row: n } });
});
after(() => knex.destroy());

test("tickets of a city", async () => {
  const found = await knex("tickets")
    .join("venues", "venues.id", "tickets.venue_id")
    .where({ city: "Ulm" })
    .whereNull("sold_at")
    .orderBy("tickets.id", "desc")
    .limit(5);
  assert.equal(found.length, 5);
});

test("one by one", async () => {
  for (const id of await knex("tickets").pluck("id")) {
    const ticket = await knex("tickets").where({ id }).first();
    assert.ok(ticket.seat);
  }
});
