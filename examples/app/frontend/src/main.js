const config = __CONFIG__;

document.getElementById("page").textContent = location.pathname;
document.getElementById("version").textContent = config.version;

const list = document.getElementById("items");
const answer = await fetch(`${config.api}/items?limit=20`);
const items = answer.ok ? await answer.json() : [];
list.replaceChildren(
  ...items.map((item) => {
    const entry = document.createElement("li");
    entry.textContent = `${item.quantity} × ${item.name}`;
    return entry;
  }),
);
