import { z } from 'zod';
import { ormNames } from '../source/model/orm/model-adapter.ts';

/** What a configuration says of an application's models: each may be left out, and then the database alone says what they are. */
export const applicationModelShape = {
  /** The library that the application has its models in. */
  orm: z.enum(ormNames).optional(),
  /** With `orm`: the module of the models (a schema, a DataSource, an instance), or the schema of Prisma; several in a list. */
  schema: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional(),
  /** Drizzle's, as given to `drizzle()`: columns without a name of their own. */
  casing: z.enum(['snake_case', 'camelCase']).optional(),
  /** Globs of registrations: any `*.backup.ts` and `*.backup.js` unless set. */
  registry: z.array(z.string().min(1)).optional(),
  /** How long each module of the application may take to load: 30,000 unless set. */
  loadTimeoutMs: z.int().min(1).optional(),
};

/** What goes together: `orm` and `schema`, `casing` and Drizzle. */
export function checkApplicationModels(
  settings: { orm?: string | undefined; schema?: unknown; casing?: unknown },
  context: z.RefinementCtx,
): void {
  const { orm, schema, casing } = settings;
  if ((orm === undefined) !== (schema === undefined)) {
    const [missing, given] = orm === undefined ? ['orm', 'schema'] : ['schema', 'orm'];
    context.addIssue({ code: 'custom', path: [missing], message: `is needed beside ${given}` });
  }
  if (casing !== undefined && orm !== 'drizzle') {
    context.addIssue({ code: 'custom', path: ['casing'], message: 'is for drizzle alone' });
  }
}
