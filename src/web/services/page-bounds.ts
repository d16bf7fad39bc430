const mostPageSize = 500;

/** The bounds of a page that was asked for. */
export function pageBounds(query: { readonly page?: number; readonly pageSize?: number }, usual = 50) {
  const whole = (value: number | undefined, fallback: number) => {
    const number = Math.trunc(value ?? fallback);
    return Number.isFinite(number) && number >= 1 ? number : fallback;
  };
  const pageSize = Math.min(mostPageSize, whole(query.pageSize, usual));
  const page = Math.min(1_000_000, whole(query.page, 1));
  return { page, pageSize, offset: (page - 1) * pageSize };
}
