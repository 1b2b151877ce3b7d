// Parse Server on PostgreSQL, with both tables open to everybody.
const express = require("express");
const { ParseServer } = require("parse-server");

const [port, databaseURI] = process.argv.slice(2);
const required = (type) => ({ type, required: true });
const definition = (className) => ({
  className,
  fields: {
    name: required("String"),
    category: required("String"),
    score: required("Number"),
    created_at: required("Date"),
    description: required("String"),
  },
  indexes: { [`${className}_category_score`]: { category: 1, score: 1 } },
  classLevelPermissions: { find: { "*": true }, get: { "*": true }, count: { "*": true }, create: { "*": true } },
});

async function serve() {
  const server = new ParseServer({
    databaseURI,
    appId: "benchmark",
    masterKey: "a-key-for-measuring-only",
    serverURL: `http://127.0.0.1:${port}/parse`,
    allowCustomObjectId: true,
    allowClientClassCreation: false,
    logsFolder: null,
    schema: { definitions: ["agents", "agents_written"].map(definition) },
  });
  await server.start();
  express().use("/parse", server.app).listen(Number(port), "127.0.0.1");
}

serve().catch((error) => {
  console.error(error);
  process.exit(1);
});
