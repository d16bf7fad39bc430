import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Shop } from './open-shop.ts';
import { customers, invoiceLines, invoices, products, productTags, sessions, tags } from './schema.ts';

const day = (text: string): Date => new Date(`${text}T09:00:00Z`);

/** Puts a file below `uploads`, and gives the path that its row holds. */
async function upload(folder: string, path: string, content: string): Promise<string> {
  const file = join(folder, 'uploads', path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  return path;
}

/** Fills an empty shop: customers, one of whom has left; products with photographs; invoices with their documents. */
export async function fillShop(folder: string, { database }: Shop): Promise<void> {
  await database.insert(customers).values([
    { id: 1, email: 'ada@mill.example', fullName: 'Ada Byron', phone: '+44 20 7946 0000', note: 'Pays at once.' },
    { id: 2, email: 'george@mill.example', fullName: 'George Boole', referredById: 1 },
    { id: 3, email: 'gone@mill.example', fullName: 'Charles Left', deletedAt: day('2026-03-01') },
  ]);
  await database.insert(products).values([
    {
      id: 1,
      title: 'Analytical engine',
      priceCents: 1_700_000,
      photoPath: await upload(folder, 'products/engine.svg', '<svg><circle r="9"/></svg>'),
      searchText: 'analytical engine',
    },
    { id: 2, title: 'Punched cards, 100', priceCents: 1_250, searchText: 'punched cards 100' },
  ]);
  await database.insert(tags).values([
    { id: 1, label: 'brass' },
    { id: 2, label: 'paper' },
  ]);
  await database.insert(productTags).values([
    { productId: 1, tagId: 1 },
    { productId: 2, tagId: 2 },
  ]);
  await database.insert(invoices).values([
    {
      id: 1,
      customerId: 1,
      issuedAt: day('2026-02-03'),
      pdfPath: await upload(folder, 'invoices/2026/1.pdf', '%PDF-1.4 invoice 1'),
    },
    // The one who left still has an invoice.
    {
      id: 2,
      customerId: 3,
      issuedAt: day('2026-02-10'),
      pdfPath: await upload(folder, 'invoices/2026/2.pdf', '%PDF-1.4 invoice 2'),
    },
  ]);
  await database.insert(invoiceLines).values([
    { invoiceId: 1, productId: 1, quantity: 1 },
    { invoiceId: 1, productId: 2, quantity: 10 },
    { invoiceId: 2, productId: 2, quantity: 1 },
  ]);
  await database.insert(sessions).values({ id: 'c0ffee', data: '{"customer":1}', expiresAt: 1_900_000_000 });
  await upload(folder, 'banners/spring.svg', '<svg><rect width="9"/></svg>');
}
