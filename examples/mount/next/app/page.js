/** The first page of the application. */
export default function Page() {
  return <p>the application</p>;
}
