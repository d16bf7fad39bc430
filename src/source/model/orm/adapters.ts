import type { ModelAdapter, OrmName } from './model-adapter.ts';

/** Every adapter; each is loaded when it is used, and then its library. */
export const modelAdapters: Readonly<Record<OrmName, () => Promise<ModelAdapter>>> = {
  drizzle: async () => (await import('./drizzle/drizzle-adapter.ts')).drizzleAdapter,
  typeorm: async () => (await import('./typeorm/typeorm-adapter.ts')).typeormAdapter,
  prisma: async () => (await import('./prisma/prisma-adapter.ts')).prismaAdapter,
  sequelize: async () => (await import('./sequelize/sequelize-adapter.ts')).sequelizeAdapter,
  'mikro-orm': async () => (await import('./mikro-orm/mikro-orm-adapter.ts')).mikroOrmAdapter,
  kysely: async () => (await import('./kysely/kysely-adapter.ts')).kyselyAdapter,
};
