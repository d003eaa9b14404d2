import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import "./style.css";

const api = import.meta.env.VITE_API ?? "/api";

function Page() {
  const [items, setItems] = useState([]);
  useEffect(() => {
    fetch(`${api}/items?limit=20`)
      .then((answer) => (answer.ok ? answer.json() : []))
      .then(setItems);
  }, []);
  return (
    <>
      <h1>Dinghy</h1>
      <p>
        Page <output id="page">{location.pathname}</output>, front end <output id="version">{__VERSION__}</output>
      </p>
      <ul id="items">
        {items.map((item) => (
          <li key={item.id}>
            {item.quantity} × {item.name}
          </li>
        ))}
      </ul>
    </>
  );
}

createRoot(document.getElementById("root")).render(<Page />);
