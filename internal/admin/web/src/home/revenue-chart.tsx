import '@mantine/charts/styles.css';
import { BarChart } from '@mantine/charts';
import { VisuallyHidden } from '@mantine/core';
import type { Overview } from '../api/types';
import { formatCalendarDay } from '../format/date';
import { formatMoney, formatMoneyCompact } from '../format/money';

interface RevenueChartProps {
  days: Overview['last_30_days'];
  currency: string;
}

/** Revenue a day as bars; the same figures as a table for those who cannot see them. */
export function RevenueChart({ days, currency }: RevenueChartProps) {
  const data = days.map((day) => ({ date: formatCalendarDay(day.date), Revenue: day.revenue.amount }));
  return (
    <>
      <BarChart
        h={232}
        data={data}
        dataKey="date"
        series={[{ name: 'Revenue', color: 'brand.5' }]}
        valueFormatter={(amount) => formatMoney({ amount, currency })}
        tickLine="none"
        gridAxis="x"
        gridColor="var(--line)"
        strokeDasharray="0"
        yAxisProps={{
          width: 52,
          tickFormatter: (amount: number) => formatMoneyCompact({ amount, currency }),
        }}
        xAxisProps={{ interval: 'preserveStartEnd', minTickGap: 40 }}
        barProps={{ radius: [3, 3, 0, 0], maxBarSize: 18 }}
        barChartProps={{ accessibilityLayer: false }}
        aria-hidden
      />
      <VisuallyHidden>
        <table>
          <caption>Revenue and orders a day</caption>
          <tbody>
            {days.map((day) => (
              <tr key={day.date}>
                <th scope="row">{formatCalendarDay(day.date)}</th>
                <td>{formatMoney(day.revenue)}</td>
                <td>{day.orders}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </VisuallyHidden>
    </>
  );
}
