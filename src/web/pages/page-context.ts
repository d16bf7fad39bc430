import type { Context } from 'hono';
import { HoldfastError } from '../../errors.ts';
import type { ShownError } from '../services/web-services.ts';
import type { Viewer } from '../views/forms.ts';
import { layout, type Section } from '../views/layout.ts';
import type { Markup } from '../views/markup.ts';
import type { WebEnvironment } from '../web-environment.ts';

/** A request for a page. */
export type PageContext = Context<WebEnvironment>;

/** Who looks, and where the admin stands. */
export function viewerOf(context: PageContext): Viewer {
  const { user, basePath, csrfToken, way } = context.var;
  return { user, basePath, csrfToken, ...(way !== undefined && { way }) };
}

/** Answers with a whole page. */
export async function sendPage(
  context: PageContext,
  page: {
    readonly title: string;
    readonly section?: Section;
    readonly body: Markup;
    readonly status?: 200 | 400 | 403 | 404 | 409 | 422 | 500;
  },
): Promise<Response> {
  const { title, section, body, status = 200 } = page;
  const whole = layout({ title, body, variables: context.var, ...(section !== undefined && { section }) });
  return context.html(await whole, status);
}

/** Leads on to another page of the admin, after something was done. */
export function leadTo(context: PageContext, path: string): Response {
  return context.redirect(`${context.var.basePath}${path}`, 303);
}

/** The error as it is shown; what is no `HoldfastError` is a defect, and goes on its way. */
export function shownError(error: unknown): ShownError {
  if (!(error instanceof HoldfastError)) throw error;
  const { code, message, hint } = error;
  return { code, message, hint };
}

/** Runs something whose failure belongs onto the page. */
export async function attempt<Value>(
  work: () => Promise<Value>,
): Promise<
  { readonly value: Value; readonly error?: undefined } | { readonly error: ShownError; readonly value?: undefined }
> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error: shownError(error) };
  }
}

/** Fields of a form that hold text; files are left out. */
export interface FormFields {
  /** The first of a name; undefined where it is missing or empty. */
  text(name: string): string | undefined;
  /** All of a name. */
  all(name: string): readonly string[];
  has(name: string): boolean;
}

/** Reads a form. */
export async function readForm(context: PageContext): Promise<FormFields> {
  const parsed = await context.req.parseBody({ all: true });
  const all = (name: string) => {
    const value = Object.hasOwn(parsed, name) ? parsed[name] : undefined;
    const values = Array.isArray(value) ? value : value === undefined ? [] : [value];
    return values.filter((item) => typeof item === 'string');
  };
  return {
    all,
    text: (name) => {
      const [first = ''] = all(name);
      return first === '' ? undefined : first;
    },
    has: (name) => all(name).length > 0,
  };
}

/** A field that has to be there. Throws `usage.invalid`. */
export function requiredText(form: FormFields, name: string): string {
  const value = form.text(name);
  if (value === undefined) {
    throw new HoldfastError('usage.invalid', {
      message: `the field ${name} is missing`,
      hint: 'fill it in, and send the form again',
    });
  }
  return value;
}

/** A positive whole number of an address; undefined for anything else. */
export function pageNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
}
