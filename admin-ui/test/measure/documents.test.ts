import { describe, expect, it } from 'vitest';
import { documentFor, documentsOf } from '@/components/measure/documents';

describe('documents in the place of energies', () => {
  it('are offered where the use case has them', () => {
    expect(documentsOf('13019')).toEqual(['Z41']);
    expect(documentsOf('13016')).toEqual(['Z42']);
    expect(documentsOf('13009')).toEqual(['Z27']);
    expect(documentsOf('13018')).toEqual([]);
    expect(documentsOf('report:7')).toEqual([]);
    expect(documentsOf('13006')).toEqual([]);
  });

  it('are not ordered of another use case', () => {
    expect(documentFor('13019', 'Z41')).toBe('Z41');
    expect(documentFor('13016', 'Z41')).toBeNull();
    expect(documentFor('13019', '')).toBeNull();
    expect(documentFor('report:7', 'Z41')).toBeNull();
  });
});
