import { defineBackup, maskEmail, maskName, maskPhone, maskText, value } from 'holdfast';
import { customers } from './schema.ts';

/** In a copy for staging, nobody can tell who the customers are. */
export default defineBackup(customers, {
  fields: {
    email: value({ mask: maskEmail() }),
    fullName: value({ mask: maskName() }),
    phone: value({ mask: maskPhone() }),
    note: value({ mask: maskText() }),
  },
});
