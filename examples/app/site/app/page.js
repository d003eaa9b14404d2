// Rendered at each request, so that the answer shows which process made it.
export const dynamic = "force-dynamic";

export default function Page() {
  return (
    <main>
      <h1>Dinghy</h1>
      <p>
        Site <output id="version">{process.env.VERSION}</output>, slot <output id="slot">{process.env.APP_SLOT}</output>
      </p>
    </main>
  );
}
