import { describe, expect, it } from 'vitest';
import { guessKind, locationFault, maloSum } from '@/components/measure/marketId';
import { dispositionName, fileName } from '@/components/measure/download';
import { jobFraction, withJob, type Job } from '@/components/measure/jobs';

describe('codes of locations', () => {
  it('have a check digit that comes from the ten before it', () => {
    expect(maloSum('5082084985')).toMatchObject({ sum: 73, check: 7 });
    expect(maloSum('508208498')).toBeUndefined();
    expect(locationFault('malo', '50820849857')).toBeUndefined();
    expect(locationFault('malo', '50820849851')).toBe('check-digit');
    // Two neighbours swapped.
    expect(locationFault('malo', '50820894857')).toBe('check-digit');
  });

  it('are refused for the first thing that is wrong', () => {
    expect(locationFault('malo', '5082084985')).toBe('length');
    expect(locationFault('malo', '5082084985x')).toBe('digits');
    expect(locationFault('malo', '00820849857')).toBe('leading-zero');
    expect(locationFault('melo', 'DE00099910115')).toBe('length');
    expect(locationFault('melo', '1E0009991011500000000000000000001')).toBe('country');
    expect(locationFault('melo', 'DEX009991011500000000000000000001')).toBe('operator');
    expect(locationFault('melo', 'DE000999101150000000000000000000_')).toBe('characters');
    expect(locationFault('melo', 'DE0009991011500000000000000000001')).toBeUndefined();
    expect(locationFault('nelo', 'E1234848431')).toBeUndefined();
    expect(locationFault('nelo', 'E1234848432')).toBe('check-digit');
    expect(locationFault('nelo', 'X1234848431')).toBe('characters');
    expect(locationFault('tranche', '50820849851')).toBe('check-digit');
  });

  it('say by their shape what they are', () => {
    expect(guessKind('508')).toBe('malo');
    expect(guessKind('DE0')).toBe('melo');
    expect(guessKind('E1')).toBe('nelo');
    expect(guessKind('x')).toBeUndefined();
  });
});

describe('names of files', () => {
  it('come from the server without any path', () => {
    expect(dispositionName('attachment; filename="MSCONS_TL_1.txt"')).toBe('MSCONS_TL_1.txt');
    expect(dispositionName('attachment; filename="../../etc/passwd"')).toBeUndefined();
    expect(dispositionName(null)).toBeUndefined();
  });

  it('have no signs that a file system refuses', () => {
    expect(fileName('SIM-1', '1-0:1.8.0*255', '2026-11-21')).toBe('SIM-1_1-0_1.8.0_255_2026-11-21');
  });
});

describe('jobs', () => {
  const job = (id: number, change: Partial<Job> = {}): Job => ({
    id,
    kind: 'export',
    state: 'running',
    progress: { done: 1, total: 4 },
    created_at: '',
    started_at: null,
    ended_at: null,
    run_at: '',
    attempts: 1,
    error: null,
    result: null,
    created_by: '',
    ...change,
  });

  it('show how far they are where they know it', () => {
    expect(jobFraction(job(1))).toBe(25);
    expect(jobFraction(job(1, { progress: { done: 9, total: 4 } }))).toBe(100);
    expect(jobFraction(job(1, { progress: { done: 9, total: null } }))).toBeNull();
    expect(jobFraction(job(1, { progress: { done: 0, total: 0 } }))).toBe(0);
    expect(jobFraction(job(1, { state: 'done', progress: { done: 0, total: 0 } }))).toBe(100);
  });

  it('change in place in the lists that hold them', () => {
    const data = { pages: [{ items: [job(2), job(1)] }], pageParams: [undefined] };
    expect(withJob(data, job(1, { state: 'done' }))?.pages[0]?.items[1]?.state).toBe('done');
    expect(withJob(data, job(3))).toBeUndefined();
    expect(withJob(undefined, job(3))).toBeUndefined();
  });
});
