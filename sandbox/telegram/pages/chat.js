"use strict";
// A person in a browser: sends through the control API, follows the chat's journal by long polling.
const { root, bot } = document.body.dataset;
const query = new URLSearchParams(location.search);
const byId = (id) => document.getElementById(id);

function whoAmI() {
  const asked = Number(query.get("user"));
  const known = Number(localStorage.getItem("sandbox-user"));
  const id = asked || known || 100000000 + Math.floor(Math.random() * 900000000);
  if (!asked) localStorage.setItem("sandbox-user", String(id));
  return { id, first_name: query.get("name") || "Sam" };
}

const me = whoAmI();
byId("who").textContent = `${me.first_name} (${me.id})`;

async function act(action) {
  const answer = await fetch(`${root}/_control/send`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ chat_id: me.id, bot, user: me, ...action }),
  });
  if (!answer.ok) byId("status").textContent = (await answer.json()).description;
}

// Entities become elements; text only ever becomes text, so a message cannot bring markup of its own.
const TAGS = { bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "pre", blockquote: "blockquote" };

function formatted(text, entities) {
  const whole = document.createDocumentFragment();
  let position = 0;
  for (const entity of entities || []) {
    if (entity.offset < position) continue;
    whole.append(text.slice(position, entity.offset));
    const inner = text.slice(entity.offset, entity.offset + entity.length);
    const address = entity.type === "url" ? inner : entity.url;
    const element = document.createElement(address ? "a" : TAGS[entity.type] || "span");
    if (address && /^https?:/.test(address)) { element.href = address; element.rel = "noopener"; }
    element.textContent = inner;
    whole.append(element);
    position = entity.offset + entity.length;
  }
  whole.append(text.slice(position));
  return whole;
}

function keyboard(message) {
  const box = document.createElement("div");
  box.className = "keyboard";
  for (const key of message.reply_markup.inline_keyboard.flat()) {
    const button = document.createElement(key.url ? "a" : "button");
    button.textContent = key.text;
    if (key.url && /^https?:/.test(key.url)) button.href = key.url;
    if (key.callback_data) {
      button.type = "button";
      button.onclick = () => act({ callback: { message_id: message.message_id, data: key.callback_data } });
    }
    box.append(button);
  }
  return box;
}

function attachment(message) {
  const file = message.document || message.voice || message.audio || message.video || (message.photo && { file_name: "photo" });
  return file ? `[${file.file_name || "file"}] ` : "";
}

function show(event) {
  const message = event.message;
  const id = `m${message.message_id}`;
  if (event.kind === "deleted") { byId(id)?.remove(); return; }
  const line = byId(id) || byId("log").appendChild(document.createElement("div"));
  line.id = id;
  line.className = `message ${event.by}${event.kind === "edited" ? " edited" : ""}`;
  line.replaceChildren(attachment(message), formatted(message.text || message.caption || "", message.entities || message.caption_entities));
  if (message.reply_markup?.inline_keyboard) line.append(keyboard(message));
  line.scrollIntoView({ block: "end" });
}

function take(event) {
  const status = byId("status");
  if (["message", "edited", "deleted"].includes(event.kind)) { status.textContent = ""; show(event); started(); }
  if (event.kind === "action") status.textContent = "typing…";
  if (event.kind === "callback_answer" && event.message.text) status.textContent = event.message.text;
}

function started() {
  byId("start").hidden = Boolean(byId("log").children.length) && !pendingCode;
  byId("form").hidden = !byId("log").children.length;
}

// A deep link's code is sent by pressing Start, also when the chat exists already: exactly as the app does.
let pendingCode = query.get("start") || "";
byId("start").onclick = async () => {
  const code = pendingCode;
  pendingCode = "";
  await act({ text: code ? `/start ${code}` : "/start" });
  started();
};

byId("form").onsubmit = async (event) => {
  event.preventDefault();
  const text = byId("text").value.trim();
  byId("text").value = "";
  if (text) await act({ text });
};

async function follow() {
  let after = 0;
  for (;;) {
    try {
      const answer = await fetch(`${root}/_control/chats/${me.id}/messages?bot=${bot}&all=1&wait=25&after=${after}`);
      const journal = await answer.json();
      journal.messages.forEach(take);
      after = journal.last;
    } catch {
      byId("status").textContent = "waiting for the sandbox";
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

follow();
