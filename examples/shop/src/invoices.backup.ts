import { defineBackup, filePath } from 'holdfast';
import { invoices } from './schema.ts';

export default defineBackup(invoices, {
  fields: { pdfPath: filePath({ root: 'uploads' }) },
});
